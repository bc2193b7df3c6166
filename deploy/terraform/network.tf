# The default VPC, since it is there and its public subnets cost nothing. In it four private subnets: two for the
# functions, whose way to the internet is the NAT, and two for the database, which has none.
#
# The trap that this is shaped by: a function that reaches a private database must be in the VPC, and there it reaches
# OpenAI only through a NAT. A NAT gateway is about 33 USD a month; the API's machine does the same for nothing.

data "aws_vpcs" "default" {
  filter {
    name   = "is-default"
    values = ["true"]
  }

  lifecycle {
    postcondition {
      condition     = length(self.ids) == 1
      error_message = "There is no default VPC in ${var.aws_region}. Make one: aws ec2 create-default-vpc --region ${var.aws_region}. If that is not the region you mean, set aws_region."
    }
  }
}

data "aws_vpc" "default" {
  id = one(data.aws_vpcs.default.ids)

  lifecycle {
    postcondition {
      # Not wider than the VPC, and the same as it when cut at its length.
      condition = var.private_cidr == null ? true : (
        tonumber(split("/", var.private_cidr)[1]) >= tonumber(split("/", self.cidr_block)[1]) &&
        cidrsubnet("${split("/", var.private_cidr)[0]}/${split("/", self.cidr_block)[1]}", 0, 0) == cidrsubnet(self.cidr_block, 0, 0)
      )
      error_message = "private_cidr ${coalesce(var.private_cidr, "null")} is not inside the default VPC, which is ${self.cidr_block}. Choose a block of it that no subnet uses, such as ${cidrsubnet(self.cidr_block, 6, 63)}."
    }
  }
}

data "aws_subnets" "default" {
  filter {
    name   = "vpc-id"
    values = [data.aws_vpc.default.id]
  }
  filter {
    name   = "default-for-az"
    values = ["true"]
  }
}

data "aws_subnet" "default" {
  for_each = toset(data.aws_subnets.default.ids)
  id       = each.value

  lifecycle {
    postcondition {
      # Two blocks overlap if they are one and the same when cut at the length of the wider one.
      condition = length(distinct([
        for block in [self.cidr_block, local.private_cidr] :
        cidrsubnet("${split("/", block)[0]}/${min(split("/", self.cidr_block)[1], split("/", local.private_cidr)[1])}", 0, 0)
      ])) == 2
      error_message = "The private subnets (${local.private_cidr}) overlap the default subnet ${self.id} (${self.cidr_block}). Set private_cidr to a block of the VPC ${data.aws_vpc.default.cidr_block} that no subnet uses: aws ec2 describe-subnets --region ${var.aws_region} --query Subnets[].CidrBlock"
    }
  }
}

# Not each zone has each type.
data "aws_ec2_instance_type_offerings" "host" {
  location_type = "availability-zone"

  filter {
    name   = "instance-type"
    values = [local.instance_type]
  }

  lifecycle {
    postcondition {
      condition = length(setintersection(self.locations, [
        for subnet in data.aws_subnet.default : subnet.availability_zone if !contains(local.zones_without_functions, subnet.availability_zone_id)
      ])) >= 2
      error_message = "Fewer than two default subnets of ${var.aws_region} are in zones that have ${local.instance_type} and take functions. Make one: aws ec2 create-default-subnet --availability-zone ZONE, or set instance_type."
    }
  }
}

locals {
  # Zones that take no functions in a VPC, though machines. By their ids: each account has names of its own for them.
  zones_without_functions = ["use1-az3"]

  public_subnets = {
    for subnet in data.aws_subnet.default : subnet.availability_zone => subnet.id
    if contains(data.aws_ec2_instance_type_offerings.host.locations, subnet.availability_zone) && !contains(local.zones_without_functions, subnet.availability_zone_id)
  }
  # RDS wants two zones, though the database is in one of them. The first ones: a zone that AWS adds moves nothing.
  zones = slice(sort(keys(local.public_subnets)), 0, 2)

  private_cidr   = coalesce(var.private_cidr, cidrsubnet(data.aws_vpc.default.cidr_block, 6, 63))
  function_cidrs = [cidrsubnet(local.private_cidr, 2, 0), cidrsubnet(local.private_cidr, 2, 1)]
  database_cidrs = [cidrsubnet(local.private_cidr, 2, 2), cidrsubnet(local.private_cidr, 2, 3)]
}

# --- where the functions are -----------------------------------------------------------------------------------------

resource "aws_subnet" "functions" {
  count = 2

  vpc_id            = data.aws_vpc.default.id
  availability_zone = local.zones[count.index]
  cidr_block        = local.function_cidrs[count.index]
  tags              = { Name = "${var.app_name}-functions-${local.zones[count.index]}" }

  # Lambda lets go of its interfaces up to 45 minutes after the last function is gone, and until then nothing else here can go.
  timeouts {
    delete = "50m"
  }
}

resource "aws_route_table" "functions" {
  vpc_id = data.aws_vpc.default.id
  tags   = { Name = "${var.app_name}-functions" }
}

resource "aws_route_table_association" "functions" {
  count = 2

  subnet_id      = aws_subnet.functions[count.index].id
  route_table_id = aws_route_table.functions.id
}

# One NAT in one zone: while it is away, recordings wait in the queue and nothing is lost. A second one would only make
# that rarer, at the price of a second machine.
resource "aws_route" "internet" {
  route_table_id         = aws_route_table.functions.id
  destination_cidr_block = "0.0.0.0/0"
  network_interface_id   = local.nat_on_host ? aws_instance.host[0].primary_network_interface_id : null
  nat_gateway_id         = local.nat_on_host ? null : aws_nat_gateway.this[0].id
}

resource "aws_eip" "nat" {
  count = local.nat_on_host ? 0 : 1

  domain = "vpc"
  tags   = { Name = "${var.app_name}-nat" }
}

resource "aws_nat_gateway" "this" {
  count = local.nat_on_host ? 0 : 1

  allocation_id = aws_eip.nat[0].id
  subnet_id     = local.public_subnets[local.zones[0]]
  tags          = { Name = var.app_name }
}

# Free, and it keeps recordings off the NAT. It leads to our bucket and to no other, whoever asks from in there.
resource "aws_vpc_endpoint" "s3" {
  vpc_id            = data.aws_vpc.default.id
  service_name      = "com.amazonaws.${var.aws_region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = [aws_route_table.functions.id]
  tags              = { Name = "${var.app_name}-s3" }

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OurBucketOnly"
      Effect    = "Allow"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
    }]
  })
}

# --- where the database is -------------------------------------------------------------------------------------------

resource "aws_subnet" "database" {
  count = 2

  vpc_id            = data.aws_vpc.default.id
  availability_zone = local.zones[count.index]
  cidr_block        = local.database_cidrs[count.index]
  tags              = { Name = "${var.app_name}-database-${local.zones[count.index]}" }
}

# No route but the VPC's own.
resource "aws_route_table" "database" {
  vpc_id = data.aws_vpc.default.id
  tags   = { Name = "${var.app_name}-database" }
}

# A public database needs a way out, which the VPC's main route table has. So db_publicly_accessible can be switched on
# and off in place: RDS never moves a database to other subnets of the same VPC.
resource "aws_route_table_association" "database" {
  count = var.db_publicly_accessible ? 0 : 2

  subnet_id      = aws_subnet.database[count.index].id
  route_table_id = aws_route_table.database.id
}

# --- who may speak to whom -------------------------------------------------------------------------------------------
# DNS needs no rule: the VPC's resolver is not behind security groups. There is no SSH: Session Manager needs no port.

resource "aws_security_group" "functions" {
  name        = "${var.app_name}-functions"
  description = "Lambda functions: nobody calls them over the network"
  vpc_id      = data.aws_vpc.default.id
  tags        = { Name = "${var.app_name}-functions" }

  timeouts {
    delete = "50m" # as the subnets above
  }
}

resource "aws_vpc_security_group_egress_rule" "functions_https" {
  security_group_id = aws_security_group.functions.id
  description       = "OpenAI and the APIs of AWS"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "functions_database" {
  security_group_id            = aws_security_group.functions.id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_security_group" "host" {
  count = local.has_host ? 1 : 0

  name        = "${var.app_name}-host"
  description = "The machine of the API and of the NAT"
  vpc_id      = data.aws_vpc.default.id
  tags        = { Name = "${var.app_name}-host" }
}

# 80 only redirects, and answers the certificate authority.
resource "aws_vpc_security_group_ingress_rule" "host_web" {
  for_each = local.api_on_ec2 ? { http = 80, https = 443 } : {}

  security_group_id = aws_security_group.host[0].id
  description       = "The API, from anywhere"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = each.value
  to_port           = each.value
}

resource "aws_vpc_security_group_ingress_rule" "host_nat" {
  count = local.nat_on_host ? 1 : 0

  security_group_id            = aws_security_group.host[0].id
  description                  = "What the functions send through the NAT"
  referenced_security_group_id = aws_security_group.functions.id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "host_https" {
  count = local.has_host ? 1 : 0

  security_group_id = aws_security_group.host[0].id
  description       = "Images, packages, certificates, the APIs of AWS, and what the NAT passes on"
  cidr_ipv4         = "0.0.0.0/0"
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_egress_rule" "host_database" {
  count = local.api_on_ec2 ? 1 : 0

  security_group_id            = aws_security_group.host[0].id
  description                  = "PostgreSQL"
  referenced_security_group_id = aws_security_group.database.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_security_group" "database" {
  # checkov:skip=CKV2_AWS_5:database.tf uses it; checkov does not see that
  name        = "${var.app_name}-database"
  description = "PostgreSQL: from our own machines only, and it calls nobody"
  vpc_id      = data.aws_vpc.default.id
  tags        = { Name = "${var.app_name}-database" }
}

resource "aws_vpc_security_group_ingress_rule" "database_functions" {
  security_group_id            = aws_security_group.database.id
  description                  = "The functions"
  referenced_security_group_id = aws_security_group.functions.id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_ingress_rule" "database_host" {
  count = local.api_on_ec2 ? 1 : 0

  security_group_id            = aws_security_group.database.id
  description                  = "The API's machine"
  referenced_security_group_id = aws_security_group.host[0].id
  ip_protocol                  = "tcp"
  from_port                    = 5432
  to_port                      = 5432
}

resource "aws_vpc_security_group_ingress_rule" "database_clients" {
  for_each = toset(var.db_client_cidrs)

  security_group_id = aws_security_group.database.id
  description       = "db_client_cidrs"
  cidr_ipv4         = each.value
  ip_protocol       = "tcp"
  from_port         = 5432
  to_port           = 5432
}
