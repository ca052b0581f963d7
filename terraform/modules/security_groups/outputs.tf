output "ids" {
  description = "ID of each security group by what it guards."
  value = {
    load_balancer  = aws_security_group.load_balancer.id
    workload       = aws_security_group.workload.id
    database       = aws_security_group.database.id
    database_proxy = aws_security_group.database_proxy.id
    cache          = aws_security_group.cache.id
  }
}
