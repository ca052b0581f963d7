resource "aws_security_group" "load_balancer" {
  name        = "${var.name}-load-balancer"
  description = "The one way in from the internet"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-load-balancer" }
}

resource "aws_security_group" "workload" {
  name        = "${var.name}-workload"
  description = "Tasks of all workloads"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-workload" }
}

resource "aws_security_group" "database" {
  name        = "${var.name}-database"
  description = "PostgreSQL, for workloads only"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-database" }
}

resource "aws_security_group" "database_proxy" {
  name        = "${var.name}-database-proxy"
  description = "Pool of connections between workloads and PostgreSQL"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-database-proxy" }
}

resource "aws_security_group" "cache" {
  name        = "${var.name}-cache"
  description = "Cache, for workloads only"
  vpc_id      = var.vpc_id

  tags = { Name = "${var.name}-cache" }
}

resource "aws_vpc_security_group_ingress_rule" "internet_to_load_balancer" {
  # Port 80 is open in every environment: where plain HTTP is not allowed, it
  # answers nothing but a redirect to 443.
  for_each = { http = 80, https = 443 }

  security_group_id = aws_security_group.load_balancer.id
  description       = "${each.key} from the internet"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

# Between load balancer and workloads each workload's own port is opened by the
# load_balancer module, which knows them.

resource "aws_vpc_security_group_egress_rule" "workload_to_https" {
  security_group_id = aws_security_group.workload.id
  description       = "AWS APIs, image pulls and outside HTTPS services"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "workload_to_database" {
  security_group_id            = aws_security_group.workload.id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
}

resource "aws_vpc_security_group_ingress_rule" "workload_to_database" {
  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL from workloads"
  referenced_security_group_id = aws_security_group.workload.id
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
}

resource "aws_vpc_security_group_egress_rule" "workload_to_database_proxy" {
  security_group_id            = aws_security_group.workload.id
  description                  = "PostgreSQL by its proxy"
  referenced_security_group_id = aws_security_group.database_proxy.id
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
}

resource "aws_vpc_security_group_ingress_rule" "workload_to_database_proxy" {
  security_group_id            = aws_security_group.database_proxy.id
  description                  = "PostgreSQL from workloads"
  referenced_security_group_id = aws_security_group.workload.id
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
}

resource "aws_vpc_security_group_egress_rule" "database_proxy_to_database" {
  security_group_id            = aws_security_group.database_proxy.id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
}

resource "aws_vpc_security_group_ingress_rule" "database_proxy_to_database" {
  security_group_id            = aws_security_group.database.id
  description                  = "PostgreSQL from its proxy"
  referenced_security_group_id = aws_security_group.database_proxy.id
  ip_protocol                  = "tcp"
  from_port                    = var.database_port
  to_port                      = var.database_port
}

resource "aws_vpc_security_group_egress_rule" "workload_to_cache" {
  security_group_id            = aws_security_group.workload.id
  description                  = "Cache"
  referenced_security_group_id = aws_security_group.cache.id
  ip_protocol                  = "tcp"
  from_port                    = var.cache_port
  to_port                      = var.cache_port
}

resource "aws_vpc_security_group_ingress_rule" "workload_to_cache" {
  security_group_id            = aws_security_group.cache.id
  description                  = "Cache from workloads"
  referenced_security_group_id = aws_security_group.workload.id
  ip_protocol                  = "tcp"
  from_port                    = var.cache_port
  to_port                      = var.cache_port
}
