# Each variable that cannot work is refused before anything is made, by its own validation.

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

run "a_zone_is_no_region" {
  command = plan
  variables {
    aws_region = "us-east-1a"
  }
  expect_failures = [var.aws_region]
}

run "a_region_of_another_partition" {
  command = plan
  variables {
    aws_region = "cn-north-1"
  }
  expect_failures = [var.aws_region]
}

run "a_name_with_capitals" {
  command = plan
  variables {
    app_name = "Memories"
  }
  expect_failures = [var.app_name]
}

run "a_name_that_is_too_long" {
  command = plan
  variables {
    app_name = "a-name-of-twenty-three-x"
  }
  expect_failures = [var.app_name]
}

run "a_name_with_two_hyphens" {
  command = plan
  variables {
    app_name = "my--memories"
  }
  expect_failures = [var.app_name]
}

run "an_environment_of_two_words" {
  command = plan
  variables {
    environment = "Production EU"
  }
  expect_failures = [var.environment]
}

run "latest_is_no_commit" {
  command = plan
  variables {
    image_tag = "latest"
  }
  expect_failures = [var.image_tag]
}

run "a_commit_that_is_too_short" {
  command = plan
  variables {
    image_tag = "0123ab"
  }
  expect_failures = [var.image_tag]
}

run "a_tag_that_is_a_script" {
  command = plan
  variables {
    image_tag = "0123abc; reboot"
  }
  expect_failures = [var.image_tag]
}

run "an_unknown_runtime" {
  command = plan
  variables {
    api_runtime = "fargate"
  }
  expect_failures = [var.api_runtime]
}

run "an_unknown_nat" {
  command = plan
  variables {
    nat = "none"
  }
  expect_failures = [var.nat]
}

run "an_unknown_architecture" {
  command = plan
  variables {
    architecture = "riscv64"
  }
  expect_failures = [var.architecture]
}

run "a_type_of_another_architecture" {
  command = plan
  variables {
    instance_type = "t3.micro"
  }
  expect_failures = [var.instance_type]
}

run "a_type_that_is_none" {
  command = plan
  variables {
    instance_type = "micro"
  }
  expect_failures = [var.instance_type]
}

run "a_block_that_is_too_small_for_four" {
  command = plan
  variables {
    private_cidr = "172.31.252.0/28"
  }
  expect_failures = [var.private_cidr]
}

run "a_block_that_is_none" {
  command = plan
  variables {
    private_cidr = "172.31.252.0"
  }
  expect_failures = [var.private_cidr]
}

run "a_domain_with_a_scheme" {
  command = plan
  variables {
    domain_name = "https://memories.example.org"
  }
  expect_failures = [var.domain_name]
}

run "a_domain_without_a_machine" {
  command = plan
  variables {
    domain_name = "memories.example.org"
    api_runtime = "lambda"
  }
  expect_failures = [var.domain_name]
}

run "one_worker_is_fewer_than_aws_takes" {
  command = plan
  variables {
    lambda_max_concurrency = 1
  }
  expect_failures = [var.lambda_max_concurrency]
}

run "a_password_that_rds_refuses" {
  command = plan
  variables {
    db_password = "sixteen/characters@least"
  }
  expect_failures = [var.db_password]
}

run "a_password_that_is_short" {
  command = plan
  variables {
    db_password = "short"
  }
  expect_failures = [var.db_password]
}

run "a_password_with_a_space" {
  command = plan
  variables {
    db_password = "sixteen characters at least"
  }
  expect_failures = [var.db_password]
}

run "a_django_key_that_is_short" {
  command = plan
  variables {
    django_secret_key = "short"
  }
  expect_failures = [var.django_secret_key]
}

run "the_django_key_of_one_machine" {
  command = plan
  variables {
    django_secret_key = "django-insecure-for-one-machine-only-set-DJANGO_SECRET_KEY-before-others-can-reach-it"
  }
  expect_failures = [var.django_secret_key]
}

run "no_openai_key" {
  command = plan
  variables {
    openai_api_key = ""
  }
  expect_failures = [var.openai_api_key]
}

run "an_openai_key_with_a_line_break" {
  command = plan
  variables {
    openai_api_key = "sk-key\n"
  }
  expect_failures = [var.openai_api_key]
}

run "a_version_of_secrets_below_one" {
  command = plan
  variables {
    secrets_version = 0
  }
  expect_failures = [var.secrets_version]
}

run "a_database_class_of_ec2" {
  command = plan
  variables {
    db_instance_class = "t3.micro"
  }
  expect_failures = [var.db_instance_class]
}

run "a_disk_that_is_too_small" {
  command = plan
  variables {
    db_allocated_storage = 5
  }
  expect_failures = [var.db_allocated_storage]
}

run "more_backups_than_rds_keeps" {
  command = plan
  variables {
    db_backup_retention_days = 36
  }
  expect_failures = [var.db_backup_retention_days]
}

run "a_public_database_for_nobody" {
  command = plan
  variables {
    db_publicly_accessible = true
  }
  expect_failures = [var.db_client_cidrs]
}

run "clients_of_a_private_database" {
  command = plan
  variables {
    db_client_cidrs = ["203.0.113.7/32"]
  }
  expect_failures = [var.db_client_cidrs]
}

run "the_whole_internet_as_a_client" {
  command = plan
  variables {
    db_publicly_accessible = true
    db_client_cidrs        = ["0.0.0.0/0"]
  }
  expect_failures = [var.db_client_cidrs]
}

run "no_audio_at_all" {
  command = plan
  variables {
    audio_retention_days = 0
  }
  expect_failures = [var.audio_retention_days]
}

run "a_recording_that_the_worker_cannot_hold" {
  command = plan
  variables {
    max_upload_mb = 2000
  }
  expect_failures = [var.max_upload_mb]
}

run "every_origin" {
  command = plan
  variables {
    cors_origins = ["*"]
  }
  expect_failures = [var.cors_origins]
}

run "an_origin_with_a_path" {
  command = plan
  variables {
    cors_origins = ["https://app.example.org/"]
  }
  expect_failures = [var.cors_origins]
}

run "an_empty_transcription_model" {
  command = plan
  variables {
    openai_transcription_model = ""
  }
  expect_failures = [var.openai_transcription_model]
}

run "an_empty_analysis_model" {
  command = plan
  variables {
    openai_analysis_model = ""
  }
  expect_failures = [var.openai_analysis_model]
}

run "a_server_without_tls" {
  command = plan
  variables {
    openai_base_url = "http://llm.example.org/v1"
  }
  expect_failures = [var.openai_base_url]
}

run "a_server_on_a_port_that_is_closed" {
  command = plan
  variables {
    openai_base_url = "https://llm.example.org:8443/v1"
  }
  expect_failures = [var.openai_base_url]
}

run "a_negative_budget" {
  command = plan
  variables {
    daily_budget_usd = -1
  }
  expect_failures = [var.daily_budget_usd]
}

run "a_negative_budget_of_one_person" {
  command = plan
  variables {
    daily_budget_usd_per_user = -1
  }
  expect_failures = [var.daily_budget_usd_per_user]
}

run "two_mail_addresses" {
  command = plan
  variables {
    alarm_email = "a@example.org, b@example.org"
  }
  expect_failures = [var.alarm_email]
}

run "no_mail_address" {
  command = plan
  variables {
    alarm_email = "ops"
  }
  expect_failures = [var.alarm_email]
}

run "a_budget_of_nothing" {
  command = plan
  variables {
    monthly_budget_usd = 0
  }
  expect_failures = [var.monthly_budget_usd]
}

run "days_that_cloudwatch_does_not_know" {
  command = plan
  variables {
    log_retention_days = 31
  }
  expect_failures = [var.log_retention_days]
}

run "a_level_that_is_none" {
  command = plan
  variables {
    log_level = "LOUD"
  }
  expect_failures = [var.log_level]
}

run "the_least_and_the_most_are_taken" {
  command = plan
  variables {
    app_name                 = "abc"
    image_tag                = "0123456789abcdef0123456789abcdef01234567"
    db_password              = "!#$%&'()*+,-.:;<=>?[]^_`{|}~0aZ"
    openai_api_key           = ""
    openai_base_url          = "https://llm.example.org/v1"
    db_publicly_accessible   = true
    db_client_cidrs          = ["203.0.113.7/32"]
    db_backup_retention_days = 35
    max_upload_mb            = 750
    cors_origins             = ["https://app.example.org", "http://localhost:5173"]
    private_cidr             = "172.31.128.0/26"
    domain_name              = "memories.example.org"
  }

  assert {
    condition     = output.api_url == "https://memories.example.org" && local.environment.OPENAI_BASE_URL == "https://llm.example.org/v1"
    error_message = "What was said counts."
  }
  assert {
    condition     = one([for rule in aws_vpc_security_group_ingress_rule.database_clients : rule.cidr_ipv4]) == "203.0.113.7/32" && length(aws_route_table_association.database) == 0
    error_message = "A public database is open to the networks that were named, and has a way out."
  }
  assert {
    condition     = one(aws_s3_bucket_cors_configuration.audio.cors_rule).allowed_origins == toset(["https://memories.example.org", "https://203-0-113-9.sslip.io", "https://app.example.org", "http://localhost:5173"])
    error_message = "Our pages, and those that were named, may upload."
  }
}

run "a_block_of_another_network" {
  command = plan
  variables {
    private_cidr = "10.0.0.0/22"
  }
  expect_failures = [data.aws_vpc.default]
}

run "a_block_that_is_wider_than_the_vpc" {
  command = plan
  override_data {
    target = data.aws_vpc.default
    values = { id = "vpc-0default", cidr_block = "172.31.0.0/18" }
  }
  variables {
    private_cidr = "172.31.0.0/16"
  }
  expect_failures = [data.aws_vpc.default]
}

run "a_block_inside_a_default_subnet" {
  command = plan
  variables {
    private_cidr = "172.31.16.0/22"
  }
  expect_failures = [data.aws_subnet.default["subnet-0b"]]
}

run "a_block_around_default_subnets" {
  command = plan
  variables {
    private_cidr = "172.31.0.0/19"
  }
  expect_failures = [data.aws_subnet.default["subnet-0a"], data.aws_subnet.default["subnet-0b"]]
}

run "there_is_no_default_vpc" {
  command = plan
  override_data {
    target = data.aws_vpcs.default
    values = { ids = [] }
  }
  expect_failures = [data.aws_vpcs.default]
}

run "a_zone_without_functions_does_not_count" {
  command = plan
  override_data {
    target = data.aws_ec2_instance_type_offerings.host
    values = { locations = ["us-east-1a", "us-east-1e"] }
  }
  expect_failures = [data.aws_ec2_instance_type_offerings.host]
}

run "no_zone_has_the_type" {
  command = plan
  override_data {
    target = data.aws_ec2_instance_type_offerings.host
    values = { locations = ["us-east-1a"] }
  }
  expect_failures = [data.aws_ec2_instance_type_offerings.host]
}
