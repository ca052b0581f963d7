data "aws_availability_zones" "available" {
  state = "available"

  # Zones that one opts into (at the edge of the network) offer neither NAT gateways nor RDS.
  filter {
    name   = "opt-in-status"
    values = ["opt-in-not-required"]
  }

  lifecycle {
    postcondition {
      condition     = length(self.names) >= var.az_count
      error_message = "az_count is ${var.az_count}, but the region offers only ${length(self.names)} zones (${join(", ", self.names)}): give fewer zones or another region."
    }
  }
}

locals {
  zones     = slice(data.aws_availability_zones.available.names, 0, var.az_count)
  nat_count = { none = 0, single = 1, per_az = var.az_count }[var.nat_mode]
  # Asleep the gateways go, which cost by the hour; the addresses stay, which others let in by name.
  gateway_count = var.asleep ? 0 : local.nat_count

  # Sixteen equal slices, four for each tier, so that a third zone can be added
  # later without moving a subnet; the last four stay free.
  slices = {
    public   = [for i in range(var.az_count) : cidrsubnet(var.vpc_cidr, 4, i)]
    private  = [for i in range(var.az_count) : cidrsubnet(var.vpc_cidr, 4, 4 + i)]
    isolated = [for i in range(var.az_count) : cidrsubnet(var.vpc_cidr, 4, 8 + i)]
  }
}

resource "aws_vpc" "this" {
  cidr_block           = var.vpc_cidr
  enable_dns_hostnames = true
  enable_dns_support   = true

  tags = { Name = var.name }
}

# Nothing uses the VPC's default group; holding it empty keeps it that way.
resource "aws_default_security_group" "closed" {
  vpc_id = aws_vpc.this.id

  tags = { Name = "${var.name}-default-closed" }
}

resource "aws_internet_gateway" "this" {
  vpc_id = aws_vpc.this.id

  tags = { Name = var.name }
}

resource "aws_subnet" "public" {
  count = var.az_count

  vpc_id            = aws_vpc.this.id
  cidr_block        = local.slices.public[count.index]
  availability_zone = local.zones[count.index]

  tags = { Name = "${var.name}-public-${local.zones[count.index]}", Tier = "public" }
}

resource "aws_subnet" "private" {
  count = var.az_count

  vpc_id            = aws_vpc.this.id
  cidr_block        = local.slices.private[count.index]
  availability_zone = local.zones[count.index]

  tags = { Name = "${var.name}-private-${local.zones[count.index]}", Tier = "private" }
}

resource "aws_subnet" "isolated" {
  count = var.az_count

  vpc_id            = aws_vpc.this.id
  cidr_block        = local.slices.isolated[count.index]
  availability_zone = local.zones[count.index]

  tags = { Name = "${var.name}-isolated-${local.zones[count.index]}", Tier = "isolated" }
}

resource "aws_eip" "nat" {
  count = local.nat_count

  domain = "vpc"

  tags = { Name = "${var.name}-nat-${local.zones[count.index]}" }

  depends_on = [aws_internet_gateway.this]
}

resource "aws_nat_gateway" "this" {
  count = local.gateway_count

  allocation_id = aws_eip.nat[count.index].id
  subnet_id     = aws_subnet.public[count.index].id

  tags = { Name = "${var.name}-${local.zones[count.index]}" }
}
