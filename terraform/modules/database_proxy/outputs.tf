output "name" {
  description = "Name of the proxy."
  value       = aws_db_proxy.this.name
}

output "address" {
  description = "Host name of the proxy, known once it has a database behind it."
  value       = aws_db_proxy.this.endpoint
  depends_on  = [aws_db_proxy_target.this]
}
