# The machine: the API behind a TLS proxy, and the NAT of the functions (deploy/host/). One machine, in one zone: a
# larger service takes api_runtime = "lambda" and nat = "gateway", and then there is no machine at all.

locals {
  # Without the API it only passes packets on, which the smallest one does.
  instance_types = local.api_on_ec2 ? { arm64 = "t4g.micro", x86_64 = "t3.micro" } : { arm64 = "t4g.nano", x86_64 = "t3.nano" }
  instance_type  = var.instance_type != "" ? var.instance_type : local.instance_types[var.architecture]
}

# The script that rolls, in a form that user data and the document below both hold. Compressed and in base64: user data
# ends at 16 KB, and Systems Manager replaces what stands in double braces, as docker's templates do.
locals {
  install = !local.api_on_ec2 ? "" : templatefile("${path.module}/../host/install.sh.tftpl", {
    app_name        = var.app_name
    region          = var.aws_region
    repository_url  = aws_ecr_repository.images.repository_url
    site_address    = local.site_address
    own_address     = local.own_address
    public_ip       = aws_eip.host[0].public_ip
    caddy_image     = "public.ecr.aws/docker/library/${one(regex("(?m)^FROM (\\S+)$", file("${path.module}/../host/caddy.Dockerfile")))}"
    log_group       = local.log_groups["host"]
    roll_script     = base64gzip(file("${path.module}/../host/roll.sh"))
    api_well_script = base64gzip(file("${path.module}/../host/api-well.sh"))
    caddyfile       = base64gzip(file("${path.module}/../host/Caddyfile"))
  })
}

# AWS's newest Amazon Linux 2023, by the parameter that AWS publishes.
data "aws_ssm_parameter" "image" {
  name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-${var.architecture}"
}

# What is decided at the first start and never again: whether the machine has Docker, and of which processor its image is.
# Another one of these needs another machine.
resource "terraform_data" "machine_kind" {
  input = { api = local.api_on_ec2, architecture = var.architecture }
}

# Outlives the machine: a new one gets the same address.
resource "aws_eip" "host" {
  # checkov:skip=CKV2_AWS_19:it is associated with the machine below; checkov does not follow count
  count = local.has_host ? 1 : 0

  domain = "vpc"
  tags   = { Name = "${var.app_name}-host" }
}

resource "aws_eip_association" "host" {
  count = local.has_host ? 1 : 0

  allocation_id = aws_eip.host[0].id
  instance_id   = aws_instance.host[0].id
}

resource "aws_instance" "host" {
  # checkov:skip=CKV_AWS_88:it is the way in and out: the API's address, and the NAT of all else
  # checkov:skip=CKV_AWS_126:metrics by the minute cost 2 USD a month; those of five minutes are free
  # checkov:skip=CKV_AWS_135:t3 and t4g are always optimized, and t2 cannot be
  count = local.has_host ? 1 : 0

  ami                  = data.aws_ssm_parameter.image.insecure_value
  instance_type        = local.instance_type
  iam_instance_profile = aws_iam_instance_profile.host[0].name
  tags                 = { Name = "${var.app_name}-host" }
  volume_tags          = { Name = "${var.app_name}-host", app = var.app_name, environment = var.environment, managed_by = "terraform" }

  subnet_id                   = local.public_subnets[local.zones[0]]
  vpc_security_group_ids      = [aws_security_group.host[0].id]
  associate_public_ip_address = true               # to have internet from the first second; the fixed address comes a little later
  source_dest_check           = !local.nat_on_host # a NAT carries packets that are not its own

  # Tokens only (IMDSv2), and not one hop further: what runs in a network of its own on this machine gets no
  # credentials. The API's container has the machine's network.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  # Out of credits it gets slow, which an alarm would show; "unlimited" would get a bill, which nobody sees.
  credit_specification {
    cpu_credits = "standard"
  }
  monitoring = false # by the minute: 2 USD a month

  root_block_device {
    volume_type = "gp3"
    volume_size = 8 # the least that Amazon Linux takes; two releases of the image and the logs fit. 30 GB are free
    encrypted   = true
  }

  # Run at the first start only. What changes later (settings, releases, the script that rolls) comes by parameters and
  # by the document below, so a change in here is no reason to end the machine.
  user_data = templatefile("${path.module}/../host/boot.sh.tftpl", {
    app_name  = var.app_name
    region    = var.aws_region
    nat_cidrs = local.function_cidrs
    api       = local.api_on_ec2
    install   = local.install
  })

  lifecycle {
    # Nor is each new image of AWS a reason. `terraform apply -replace='aws_instance.host[0]'` takes both.
    ignore_changes       = [ami, user_data]
    replace_triggered_by = [terraform_data.machine_kind]
  }

  depends_on = [
    aws_iam_role_policy.host,
    aws_cloudwatch_log_group.this,
    aws_vpc_security_group_egress_rule.host_https,
    aws_ssm_parameter.secret,
    aws_ssm_parameter.image_tag,
    aws_ssm_parameter.api_environment,
  ]
}

# The only thing that GitHub may run on the machine: no shell, no other script, one parameter of a bounded form.
resource "aws_ssm_document" "roll" {
  count = local.api_on_ec2 ? 1 : 0

  name            = "${var.app_name}-roll"
  document_type   = "Command"
  document_format = "JSON"
  target_type     = "/AWS::EC2::Instance"

  content = jsonencode({
    schemaVersion = "2.2"
    description   = "Puts the API's container of one commit in the place of the one that runs, without a gap"
    parameters = {
      ImageTag = {
        type           = "String"
        description    = "The commit"
        allowedPattern = "^[0-9a-f]{7,40}$"
      }
    }
    mainSteps = [{
      action = "aws:runShellScript"
      name   = "roll"
      inputs = {
        timeoutSeconds = "900"
        runCommand = [
          "#!/usr/bin/env bash",
          "set -euo pipefail",
          local.install,
          "tag='{{ ImageTag }}'",
          "exec /opt/${var.app_name}/roll \"$tag\"",
        ]
      }
    }]
  })
}
