# Where the API runs, and what carries the functions to the internet: six shapes, and what each has and has not.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

run "the_api_on_its_machine_which_is_the_nat" {
  command = plan
  variables {
    api_runtime = "ec2"
    nat         = "instance"
  }

  assert {
    condition     = length(aws_instance.host) == 1 && length(aws_nat_gateway.this) == 0 && length(aws_lambda_function_url.api) == 0
    error_message = "One machine does it all."
  }

  assert {
    condition     = keys(aws_lambda_function.this) == ["clock", "worker"]
    error_message = "The API is no function."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.host_web) == 2 && length(aws_vpc_security_group_ingress_rule.host_nat) == 1
    error_message = "It is asked by the world, and by the functions."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 9
    error_message = "Nine alarms."
  }
}

run "the_api_on_its_machine_beside_a_gateway" {
  command = plan
  variables {
    api_runtime = "ec2"
    nat         = "gateway"
  }

  assert {
    condition     = length(aws_instance.host) == 1 && length(aws_nat_gateway.this) == 1
    error_message = "There are both."
  }

  assert {
    condition     = aws_instance.host[0].source_dest_check && length(aws_vpc_security_group_ingress_rule.host_nat) == 0
    error_message = "The machine carries nobody else's packets."
  }

  assert {
    condition     = aws_route.internet.nat_gateway_id == aws_nat_gateway.this[0].id
    error_message = "The way out is the gateway."
  }
}

run "the_api_on_lambda_and_a_machine_that_is_the_nat_only" {
  command = plan
  variables {
    api_runtime = "lambda"
    nat         = "instance"
  }

  assert {
    condition     = aws_instance.host[0].instance_type == "t4g.nano" && length(aws_ssm_document.roll) == 0 && length(aws_ssm_parameter.api_environment) == 0
    error_message = "The machine is the smallest, and has no API."
  }

  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.host_web) == 0 && length(aws_vpc_security_group_ingress_rule.database_host) == 0
    error_message = "Nobody asks it anything, and it does not reach the database."
  }

  assert {
    condition     = output.api_url == output.function_url && !endswith(output.api_url, "/") && output.roll_document_name == null && output.instance_id != null
    error_message = "The API is the Function URL."
  }

  assert {
    condition     = aws_lambda_function_url.api[0].authorization_type == "NONE" && aws_lambda_function_url.api[0].qualifier == "live"
    error_message = "The address is open, and leads to what is live."
  }

  assert {
    condition     = local.environment.DJANGO_ALLOWED_HOSTS == ".lambda-url.us-east-1.on.aws" && local.environment.DJANGO_CSRF_TRUSTED_ORIGINS == ""
    error_message = "The API knows the host that AWS gives it, and trusts no other origin."
  }

  assert {
    condition     = aws_lambda_function.this["api"].environment[0].variables.MEMORIES_MAX_WAITERS == "0" && aws_lambda_function.this["api"].timeout == 30
    error_message = "A request that waits would be paid for."
  }

  assert {
    condition     = [for statement in jsondecode(aws_iam_role_policy.host[0].policy).Statement : statement.Sid] == ["BeManaged", "Measure", "WriteLogs"]
    error_message = "The machine of the NAT reads no recording and no secret."
  }
}

run "the_api_on_lambda_and_no_machine" {
  command = plan
  variables {
    api_runtime = "lambda"
    nat         = "gateway"
  }

  assert {
    condition     = length(aws_instance.host) == 0 && length(aws_eip.host) == 0 && length(aws_iam_role.host) == 0 && length(aws_security_group.host) == 0
    error_message = "There is no machine, and nothing that belongs to one."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 7 && output.instance_id == null && output.host_address == null
    error_message = "And no alarm of it."
  }

  assert {
    condition     = toset(output.log_group_names) == toset([for name in ["api", "clock", "worker"] : "/aws/lambda/memories-${name}"])
    error_message = "Each function has its logs."
  }
}

run "both" {
  command = plan
  variables {
    api_runtime = "both"
    nat         = "instance"
  }

  assert {
    condition     = output.api_url == "https://203-0-113-9.sslip.io" && output.function_url == "https://abcdefghijklmnopqrstuvwxyz012345.lambda-url.us-east-1.on.aws"
    error_message = "Two addresses, and the machine is the first."
  }

  assert {
    condition     = local.environment.DJANGO_ALLOWED_HOSTS == "203-0-113-9.sslip.io,.lambda-url.us-east-1.on.aws"
    error_message = "Both are known."
  }

  assert {
    condition     = length(one(aws_s3_bucket_cors_configuration.audio.cors_rule).allowed_origins) == 2
    error_message = "Pages of both upload."
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 10
    error_message = "Ten alarms are free, and there are not more."
  }
}

run "both_beside_a_gateway" {
  command = plan
  variables {
    api_runtime = "both"
    nat         = "gateway"
  }

  assert {
    condition     = length(aws_instance.host) == 1 && length(aws_nat_gateway.this) == 1 && length(aws_lambda_function.this) == 3
    error_message = "All there is."
  }
}

run "intel" {
  command = plan
  variables {
    architecture  = "x86_64"
    instance_type = "t2.micro"
  }

  assert {
    condition     = aws_instance.host[0].instance_type == "t2.micro" && alltrue([for function in aws_lambda_function.this : function.architectures == tolist(["x86_64"])])
    error_message = "The machine and the functions have the architecture of the images."
  }
}
