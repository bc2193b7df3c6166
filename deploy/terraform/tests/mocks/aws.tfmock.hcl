# What AWS would answer, as far as the plan depends on it: one default VPC with three public subnets.

mock_data "aws_caller_identity" {
  defaults = {
    account_id = "123456789012"
  }
}

mock_data "aws_vpcs" {
  defaults = {
    ids = ["vpc-0default"]
  }
}

mock_data "aws_vpc" {
  defaults = {
    id         = "vpc-0default"
    cidr_block = "172.31.0.0/16"
  }
}

mock_data "aws_subnets" {
  defaults = {
    ids = ["subnet-0a", "subnet-0b", "subnet-0e"]
  }
}

override_data {
  target = data.aws_subnet.default["subnet-0a"]
  values = { id = "subnet-0a", cidr_block = "172.31.0.0/20", availability_zone = "us-east-1a", availability_zone_id = "use1-az6" }
}
override_data {
  target = data.aws_subnet.default["subnet-0b"]
  values = { id = "subnet-0b", cidr_block = "172.31.16.0/20", availability_zone = "us-east-1b", availability_zone_id = "use1-az1" }
}
override_data {
  target = data.aws_subnet.default["subnet-0e"]
  values = { id = "subnet-0e", cidr_block = "172.31.32.0/20", availability_zone = "us-east-1e", availability_zone_id = "use1-az3" }
}

mock_data "aws_ec2_instance_type_offerings" {
  defaults = {
    locations = ["us-east-1a", "us-east-1b", "us-east-1c"]
  }
}

mock_data "aws_ssm_parameter" {
  defaults = {
    insecure_value = "ami-0123456789abcdef0"
  }
}

mock_resource "aws_sqs_queue" {
  defaults = {
    arn = "arn:aws:sqs:us-east-1:123456789012:a-queue"
    url = "https://sqs.us-east-1.amazonaws.com/123456789012/a-queue"
  }
}

mock_resource "aws_ecr_repository" {
  defaults = {
    arn            = "arn:aws:ecr:us-east-1:123456789012:repository/memories"
    repository_url = "123456789012.dkr.ecr.us-east-1.amazonaws.com/memories"
  }
}

mock_resource "aws_iam_role" {
  defaults = {
    arn = "arn:aws:iam::123456789012:role/a-role"
  }
}

mock_resource "aws_ssm_parameter" {
  defaults = {
    arn = "arn:aws:ssm:us-east-1:123456789012:parameter/memories/a-parameter"
  }
}

mock_resource "aws_sns_topic" {
  defaults = {
    arn = "arn:aws:sns:us-east-1:123456789012:memories-alarms"
  }
}

mock_resource "aws_lambda_alias" {
  defaults = {
    arn = "arn:aws:lambda:us-east-1:123456789012:function:a-function:live"
  }
}

mock_resource "aws_cloudwatch_event_rule" {
  defaults = {
    arn = "arn:aws:events:us-east-1:123456789012:rule/memories-minute"
  }
}

mock_resource "aws_lambda_function_url" {
  defaults = {
    function_url = "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws/"
  }
}

mock_resource "aws_eip" {
  defaults = {
    id        = "eipalloc-0123456789abcdef0"
    public_ip = "203.0.113.9"
  }
}

mock_resource "aws_instance" {
  defaults = {
    id                           = "i-0123456789abcdef0"
    primary_network_interface_id = "eni-0123456789abcdef0"
  }
}

mock_resource "aws_db_instance" {
  defaults = {
    address = "memories.abcdefghijkl.us-east-1.rds.amazonaws.com"
  }
}

mock_resource "aws_security_group" {
  defaults = {
    id = "sg-0123456789abcdef0"
  }
}

mock_resource "aws_nat_gateway" {
  defaults = {
    id = "nat-0123456789abcdef0"
  }
}
