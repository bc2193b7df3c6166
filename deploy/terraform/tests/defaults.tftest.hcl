# With nothing said but what has to be said: the names, the bounds, and what is not there since it would be paid for.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

run "names" {
  command = plan

  assert {
    condition     = output.bucket_name == "memories-audio-123456789012-us-east-1"
    error_message = "The bucket's name must hold account and region, or it may be taken."
  }
  assert {
    condition     = output.api_url == "https://203-0-113-9.sslip.io" && output.host_address == "203.0.113.9"
    error_message = "Without a domain the API is found by its address, under sslip.io."
  }
  assert {
    condition     = output.worker_function_name == "memories-worker" && output.clock_function_name == "memories-clock" && output.api_function_name == null
    error_message = "There are two functions, and no API among them."
  }
  assert {
    condition     = output.secrets_path == "/memories/secrets" && output.release_parameter_name == "/memories/release/image_tag"
    error_message = "The paths of the parameters are part of the contract with the service and the scripts."
  }
  assert {
    condition     = toset(output.log_group_names) == toset(["/aws/lambda/memories-clock", "/aws/lambda/memories-worker", "/memories/host"])
    error_message = "Each process logs to a group of its own."
  }
  assert {
    condition     = output.function_url == null && output.instance_id == "i-0123456789abcdef0" && output.roll_document_name == "memories-roll"
    error_message = "The API is on the machine, and is rolled by the document."
  }
}

run "zones" {
  command = plan
  override_data {
    target = data.aws_ec2_instance_type_offerings.host
    values = { locations = ["us-east-1a", "us-east-1b", "us-east-1e"] }
  }
  # An account where the zone without functions comes first.
  override_data {
    target = data.aws_subnet.default["subnet-0a"]
    values = { id = "subnet-0a", cidr_block = "172.31.0.0/20", availability_zone = "us-east-1a", availability_zone_id = "use1-az3" }
  }
  override_data {
    target = data.aws_subnet.default["subnet-0e"]
    values = { id = "subnet-0e", cidr_block = "172.31.32.0/20", availability_zone = "us-east-1e", availability_zone_id = "use1-az4" }
  }

  assert {
    condition     = local.zones == tolist(["us-east-1b", "us-east-1e"])
    error_message = "Functions and machine are where both can be."
  }
}

run "the_queue_and_its_worker_fit" {
  command = plan

  assert {
    condition     = aws_sqs_queue.memories.visibility_timeout_seconds == 6 * aws_lambda_function.this["worker"].timeout
    error_message = "The visibility time-out must be six times the worker's."
  }
  assert {
    condition     = jsondecode(aws_sqs_queue.memories.redrive_policy).maxReceiveCount == 3 && aws_sqs_queue.dead.message_retention_seconds == 14 * 86400
    error_message = "After three receives a message goes to the dead ones, and stays there for 14 days."
  }
  assert {
    condition = alltrue([
      aws_lambda_event_source_mapping.worker.batch_size == 1,
      aws_lambda_event_source_mapping.worker.function_response_types == toset(["ReportBatchItemFailures"]),
      aws_lambda_event_source_mapping.worker.scaling_config[0].maximum_concurrency == 5,
      endswith(aws_lambda_event_source_mapping.worker.function_name, ":live"),
    ])
    error_message = "The worker takes one message at a time, says what failed, is bounded, and is rung as what is live."
  }
  assert {
    condition     = aws_lambda_event_source_mapping.worker.event_source_arn == aws_sqs_queue.memories.arn
    error_message = "The queue rings the worker."
  }
}

run "the_functions" {
  command = plan

  assert {
    condition = { for name, function in aws_lambda_function.this : name => [function.timeout, function.memory_size] } == {
      worker = [300, 1024], clock = [900, 512],
    }
    error_message = "Time and memory are part of the contract."
  }
  assert {
    condition = alltrue([for function in aws_lambda_function.this : alltrue([
      function.image_uri == "123456789012.dkr.ecr.us-east-1.amazonaws.com/memories:lambda-0123abc",
      function.architectures == tolist(["arm64"]),
      function.publish,
      function.reserved_concurrent_executions == null || function.reserved_concurrent_executions == -1,
    ])])
    error_message = "Functions are made of the commit's image, are published, and reserve nothing."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.minute.schedule_expression == "rate(1 minute)" && aws_lambda_function_event_invoke_config.clock.maximum_retry_attempts == 0
    error_message = "The clock ticks each minute, and a tick that failed is not repeated."
  }
  assert {
    condition     = aws_cloudwatch_event_rule.minute.state == "ENABLED" && aws_lambda_event_source_mapping.worker.enabled
    error_message = "Clock and trigger are on: a deploy switches them on again after a restore."
  }
  assert {
    condition     = length(aws_lambda_function_url.api) == 0
    error_message = "Nobody has asked for a Function URL."
  }
}

run "what_the_service_is_told" {
  command = plan

  assert {
    condition = alltrue([
      local.environment.MEMORIES_ENV == "production",
      local.environment.MEMORIES_SECRETS_PATH == "/memories/secrets",
      local.environment.DJANGO_ALLOWED_HOSTS == "203-0-113-9.sslip.io",
      local.environment.DJANGO_CSRF_TRUSTED_ORIGINS == "https://203-0-113-9.sslip.io",
      local.environment.AWS_STORAGE_BUCKET_NAME == output.bucket_name,
      local.environment.SQS_QUEUE_URL == output.queue_url,
      local.environment.SQS_DLQ_URL == output.dlq_url,
    ])
    error_message = "The environment must point at what was made."
  }
  assert {
    condition     = !contains(keys(local.environment), "OPENAI_BASE_URL") && length(setintersection(keys(local.environment), ["DJANGO_SECRET_KEY", "DATABASE_URL", "OPENAI_API_KEY", "AWS_REGION"])) == 0
    error_message = "No secret is in an environment, and Lambda sets the region itself."
  }
  assert {
    condition     = contains(split("\n", aws_ssm_parameter.api_environment[0].insecure_value), "AWS_REGION=us-east-1")
    error_message = "The API's container is told the region."
  }
}

run "a_domain_takes_nothing_from_the_address_that_was_there" {
  command = plan
  variables {
    domain_name = "memories.example.org"
    api_runtime = "both"
  }

  assert {
    condition     = output.api_url == "https://memories.example.org"
    error_message = "The domain is the address."
  }
  assert {
    condition     = local.environment.DJANGO_ALLOWED_HOSTS == "memories.example.org,203-0-113-9.sslip.io,.lambda-url.us-east-1.on.aws"
    error_message = "The API goes on to answer at the address without a domain."
  }
  assert {
    condition     = local.environment.DJANGO_CSRF_TRUSTED_ORIGINS == "https://memories.example.org,https://203-0-113-9.sslip.io"
    error_message = "Its pages take forms there too."
  }
  assert {
    condition     = one(aws_s3_bucket_cors_configuration.audio.cors_rule).allowed_origins == toset(["https://memories.example.org", "https://203-0-113-9.sslip.io", local.function_url])
    error_message = "And upload."
  }
  assert {
    condition     = strcontains(aws_ssm_document.roll[0].content, "SITE_ADDRESS=memories.example.org\\nOWN_ADDRESS=203-0-113-9.sslip.io\\nPUBLIC_IP=203.0.113.9\\n")
    error_message = "The machine is told both, and what the A record has to say."
  }
}

run "the_proxy_is_the_one_that_dependabot_sees" {
  command = plan

  assert {
    condition     = strcontains(aws_ssm_document.roll[0].content, "CADDY_IMAGE=public.ecr.aws/docker/library/${trimprefix(regex("FROM \\S+", file("../host/caddy.Dockerfile")), "FROM ")}\\n")
    error_message = "The machine runs the Caddy of deploy/host/caddy.Dockerfile."
  }
}

run "no_secret_shows" {
  command = plan

  assert {
    condition     = alltrue([for parameter in aws_ssm_parameter.secret : parameter.type == "SecureString" && parameter.value_wo_version == 1])
    error_message = "Secrets are SecureStrings that are only ever written."
  }
  assert {
    condition     = toset([for parameter in aws_ssm_parameter.secret : parameter.name]) == toset([for name in ["DJANGO_SECRET_KEY", "DATABASE_URL", "OPENAI_API_KEY"] : "/memories/secrets/${name}"])
    error_message = "The three secrets lie where the service looks for them."
  }
  assert {
    condition     = !strcontains(jsonencode([local.environment, aws_instance.host[0].user_data, aws_ssm_document.roll[0].content]), "of-tests")
    error_message = "A secret is in an environment, in the user data or in the document."
  }
}

run "the_database_is_closed" {
  command = plan

  assert {
    condition = alltrue([
      aws_db_instance.this.engine == "postgres", aws_db_instance.this.engine_version == "16",
      aws_db_instance.this.instance_class == "db.t3.micro", aws_db_instance.this.allocated_storage == 20,
      aws_db_instance.this.storage_encrypted, !aws_db_instance.this.multi_az, !aws_db_instance.this.publicly_accessible,
      aws_db_instance.this.backup_retention_period == 0, aws_db_instance.this.max_allocated_storage == 0,
    ])
    error_message = "The database is the free one: encrypted, private, in one zone, and does not grow by itself."
  }
  assert {
    condition     = one([for parameter in aws_db_parameter_group.this.parameter : parameter.value if parameter.name == "rds.force_ssl"]) == "1"
    error_message = "PostgreSQL must refuse whoever does not encrypt."
  }
  assert {
    condition     = length(aws_vpc_security_group_ingress_rule.database_clients) == 0
    error_message = "Nobody outside the VPC may reach PostgreSQL."
  }
  assert {
    condition     = length(aws_route_table_association.database) == 2
    error_message = "The database's subnets must have no way to the internet."
  }
}

run "the_network" {
  command = plan

  assert {
    condition     = concat(aws_subnet.functions[*].cidr_block, aws_subnet.database[*].cidr_block) == [for third in range(252, 256) : "172.31.${third}.0/24"]
    error_message = "The private subnets must lie where AWS's default ones (172.31.0.0 to 172.31.95.255) do not."
  }
  assert {
    condition     = aws_subnet.functions[*].availability_zone == ["us-east-1a", "us-east-1b"]
    error_message = "Zones that do not have the machine's type are left out."
  }
  assert {
    condition     = length(aws_nat_gateway.this) == 0 && aws_route.internet.network_interface_id == "eni-0123456789abcdef0" && aws_instance.host[0].source_dest_check == false
    error_message = "The machine is the NAT."
  }
  assert {
    condition     = toset([for rule in aws_vpc_security_group_ingress_rule.host_web : rule.from_port]) == toset([80, 443])
    error_message = "The world reaches 80 and 443."
  }
  assert {
    condition = alltrue([for rule in concat(
      [aws_vpc_security_group_ingress_rule.database_functions], aws_vpc_security_group_ingress_rule.database_host, aws_vpc_security_group_ingress_rule.host_nat,
    ) : rule.cidr_ipv4 == null && rule.referenced_security_group_id != null])
    error_message = "Inside the VPC rules name groups, not networks."
  }
  assert {
    condition     = aws_vpc_endpoint.s3.vpc_endpoint_type == "Gateway"
    error_message = "Any other endpoint is paid for."
  }
}

run "the_machine" {
  command = plan

  assert {
    condition = alltrue([
      aws_instance.host[0].instance_type == "t4g.micro",
      aws_instance.host[0].metadata_options[0].http_tokens == "required",
      aws_instance.host[0].metadata_options[0].http_put_response_hop_limit == 1,
      aws_instance.host[0].credit_specification[0].cpu_credits == "standard",
      aws_instance.host[0].root_block_device[0].volume_size == 8,
      aws_instance.host[0].root_block_device[0].encrypted,
      !aws_instance.host[0].monitoring,
    ])
    error_message = "The machine is small, takes tokens only, and never bills for credits."
  }
  assert {
    condition     = length(aws_instance.host[0].user_data) < 16384
    error_message = "AWS takes 16 KB of user data."
  }
  assert {
    condition     = jsondecode(aws_ssm_document.roll[0].content).parameters.ImageTag.allowedPattern == "^[0-9a-f]{7,40}$"
    error_message = "The document takes a commit and nothing else."
  }
  assert {
    # What Systems Manager puts into the script stands in single quotes, which the pattern cannot hold.
    condition     = length(regexall("\\{\\{", aws_ssm_document.roll[0].content)) == 1 && strcontains(aws_ssm_document.roll[0].content, "tag='{{ ImageTag }}'")
    error_message = "The parameter must stand in quotes, once."
  }
}

run "the_bucket" {
  command = plan

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.audio.block_public_acls, aws_s3_bucket_public_access_block.audio.block_public_policy,
      aws_s3_bucket_public_access_block.audio.ignore_public_acls, aws_s3_bucket_public_access_block.audio.restrict_public_buckets,
      aws_s3_bucket_ownership_controls.audio.rule[0].object_ownership == "BucketOwnerEnforced", !aws_s3_bucket.audio.force_destroy,
    ])
    error_message = "The bucket is private, and is not deleted with recordings in it."
  }
  assert {
    condition     = [for rule in aws_s3_bucket_lifecycle_configuration.audio.rule : rule.expiration[0].days if rule.id == "expire-audio"] == [90]
    error_message = "Audio goes after AUDIO_RETENTION_DAYS."
  }
  assert {
    condition     = one(aws_s3_bucket_cors_configuration.audio.cors_rule).allowed_origins == toset(["https://203-0-113-9.sslip.io"]) && one(aws_s3_bucket_cors_configuration.audio.cors_rule).allowed_methods == toset(["PUT"])
    error_message = "Only our own pages upload, and they only put."
  }
  assert {
    condition     = jsondecode(aws_s3_bucket_policy.audio.policy).Statement[0].Effect == "Deny" && jsondecode(aws_s3_bucket_policy.audio.policy).Statement[0].Condition.Bool["aws:SecureTransport"] == "false"
    error_message = "Nobody reads a recording without TLS."
  }
}

run "images" {
  command = plan

  assert {
    condition = alltrue([
      aws_ecr_repository.images.name == "memories",
      aws_ecr_repository.images.image_scanning_configuration[0].scan_on_push,
      [for rule in jsondecode(aws_ecr_lifecycle_policy.images.policy).rules : try(rule.selection.tagPrefixList[0], "untagged")] == ["api-", "lambda-", "untagged"],
      [for rule in jsondecode(aws_ecr_lifecycle_policy.images.policy).rules : rule.selection.countNumber] == [5, 5, 1],
    ])
    error_message = "Images are scanned, and the last five of each kind stay."
  }
}

run "alarms" {
  command = plan

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 9
    error_message = "Ten alarms are free."
  }
  assert {
    condition     = aws_cloudwatch_metric_alarm.this["clock"].treat_missing_data == "breaching" && aws_cloudwatch_metric_alarm.this["host-disk"].treat_missing_data == "breaching"
    error_message = "A clock or a machine that is silent stands still."
  }
  assert {
    condition = alltrue([
      aws_cloudwatch_metric_alarm.this["api-down"].treat_missing_data == "breaching",
      aws_cloudwatch_metric_alarm.this["api-down"].comparison_operator == "LessThanThreshold",
      aws_cloudwatch_metric_alarm.this["api-down"].threshold == 1,
    ])
    error_message = "An API that says nothing is down."
  }
  assert {
    condition     = alltrue([for alarm in aws_cloudwatch_metric_alarm.this : contains(alarm.alarm_actions, aws_sns_topic.alarms.arn) && length(alarm.metric_query) == 0])
    error_message = "Each alarm sends a mail, and is one metric (each metric of an expression counts as an alarm)."
  }
  assert {
    condition     = aws_sns_topic_subscription.mail.endpoint == "ops@example.org" && aws_budgets_budget.monthly.limit_amount == "1"
    error_message = "Alarms and the budget of 1 USD go to alarm_email."
  }
  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.this : group.retention_in_days == 30])
    error_message = "Logs end."
  }
}
