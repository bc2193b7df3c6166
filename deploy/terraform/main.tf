# Memories on AWS: the API on one small machine (or on Lambda), the worker on Lambda, SQS, S3, PostgreSQL.
# docs/deployment.md says how this is run; bootstrap/ makes what must be there before.

terraform {
  required_version = ">= 1.11.0, < 2.0.0" # write-only arguments: what keeps the secrets out of the state

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.88"
    }
  }

  # The bucket and its region come by -backend-config: bootstrap/ makes the bucket, and its name holds the account.
  backend "s3" {
    key          = "prod/terraform.tfstate"
    use_lockfile = true # a lock file beside the state: no DynamoDB table is needed
    encrypt      = true
  }
}

provider "aws" {
  region = var.aws_region

  default_tags {
    tags = {
      app         = var.app_name
      environment = var.environment
      managed_by  = "terraform"
    }
  }
}

data "aws_caller_identity" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  # The region and the account, as in the names (ARNs) of most things.
  place = "${var.aws_region}:${local.account_id}"

  api_on_ec2    = contains(["ec2", "both"], var.api_runtime)
  api_on_lambda = contains(["lambda", "both"], var.api_runtime)
  nat_on_host   = var.nat == "instance"
  has_host      = local.api_on_ec2 || local.nat_on_host

  # Every role carries it: whatever a policy here says, the role can do no more than this (bootstrap/boundary.tf). That it
  # "does not exist or is not attachable" means that script/deploy-bootstrap has not been run in this account.
  boundary_arn = "arn:aws:iam::${local.account_id}:policy/${var.app_name}-boundary"
}
