# What has to be there before the rest can be made, by a person with the rights of an administrator, once
# (script/deploy-bootstrap): where the state is kept, and what GitHub may do. It costs nothing.

terraform {
  required_version = ">= 1.11.0, < 2.0.0"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.88"
    }
  }
}

provider "aws" {
  region = var.aws_region

  default_tags {
    tags = {
      app        = "${var.app_name}-bootstrap" # not the app's own: what GitHub may change carries that tag
      managed_by = "terraform"
    }
  }
}

data "aws_caller_identity" "current" {}

locals {
  account_id = data.aws_caller_identity.current.account_id
  place      = "${var.aws_region}:${local.account_id}"
}
