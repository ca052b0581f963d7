output "vpc_id" {
  description = "ID of the VPC."
  value       = aws_vpc.this.id
}

output "vpc_cidr" {
  description = "IPv4 range of the VPC."
  value       = aws_vpc.this.cidr_block
}

output "public_subnet_ids" {
  description = "Subnets of the load balancer and the NAT gateways, one per zone."
  value       = aws_subnet.public[*].id
}

output "private_subnet_ids" {
  description = "Subnets of the workloads, one per zone."
  value       = aws_subnet.private[*].id
}

output "isolated_subnet_ids" {
  description = "Subnets of databases and caches, one per zone, with no route to the internet."
  value       = aws_subnet.isolated[*].id
}

output "nat_public_ips" {
  description = "Addresses from which the workloads reach the internet; empty with nat_mode none."
  value       = aws_eip.nat[*].public_ip
}

output "private_route_table_ids" {
  description = "Route tables of the workloads' subnets, one per zone."
  value       = aws_route_table.private[*].id
}
