# What the processes of the service are told: the environment, the secrets, and which release is live.

locals {
  secrets_path = "/${var.app_name}/secrets"

  # The hosts of the API on its machine: a name that everybody's DNS already knows for the address, and before it one of our
  # own. The first one stays when there is another, so that a domain that does not lead here takes nothing away.
  own_address    = !local.api_on_ec2 ? "" : "${replace(aws_eip.host[0].public_ip, ".", "-")}.sslip.io"
  site_address   = !local.api_on_ec2 ? "" : var.domain_name != "" ? var.domain_name : local.own_address
  host_addresses = distinct(compact([local.site_address, local.own_address]))
  function_url   = local.api_on_lambda ? trimsuffix(aws_lambda_function_url.api[0].function_url, "/") : null
  host_origins   = [for address in local.host_addresses : "https://${address}"]
  api_origins    = concat(local.host_origins, local.function_url[*])

  # A Function URL is made of a function, so its environment cannot hold the address. AWS lets no other host through to
  # it, so a pattern lets nobody in. Origins of the pages need no entry there: they are the host that was asked.
  function_hosts = local.api_on_lambda ? [".lambda-url.${var.aws_region}.on.aws"] : []

  # Nothing in here is secret: it shows in the console, in plans, and in `docker inspect`. config/settings.py reads it.
  environment = merge({
    MEMORIES_ENV                       = "production"
    MEMORIES_SECRETS_PATH              = local.secrets_path
    SECRETS_VERSION                    = tostring(var.secrets_version) # nobody reads it: it makes new processes of the same commit
    MEMORIES_LOG_LEVEL                 = var.log_level
    DJANGO_ALLOWED_HOSTS               = join(",", concat(local.host_addresses, local.function_hosts))
    DJANGO_CSRF_TRUSTED_ORIGINS        = join(",", local.host_origins)
    AWS_STORAGE_BUCKET_NAME            = aws_s3_bucket.audio.bucket
    SQS_QUEUE_URL                      = aws_sqs_queue.memories.url
    SQS_DLQ_URL                        = aws_sqs_queue.dead.url
    AUDIO_RETENTION_DAYS               = tostring(var.audio_retention_days)
    MAX_UPLOAD_MB                      = tostring(var.max_upload_mb)
    OPENAI_TRANSCRIPTION_MODEL         = var.openai_transcription_model
    OPENAI_ANALYSIS_MODEL              = var.openai_analysis_model
    MEMORIES_DAILY_BUDGET_USD          = tostring(var.daily_budget_usd)
    MEMORIES_DAILY_BUDGET_USD_PER_USER = tostring(var.daily_budget_usd_per_user)
  }, var.openai_base_url != "" ? { OPENAI_BASE_URL = var.openai_base_url } : {})

  # Ephemeral, as the variables that it is made of. sslmode=require: encrypted, and whoever could pretend to be the
  # database would have to sit in our VPC. verify-full would need Amazon's certificates in the image: put
  # https://truststore.pki.rds.amazonaws.com/global/global-bundle.pem there and write
  # ?sslmode=verify-full&sslrootcert=/path/to/it.
  secrets = {
    DJANGO_SECRET_KEY = var.django_secret_key
    DATABASE_URL      = "postgres://${local.database}:${urlencode(var.db_password)}@${aws_db_instance.this.address}:5432/${local.database}?sslmode=require"
    OPENAI_API_KEY    = var.openai_api_key != "" ? var.openai_api_key : "none" # SSM stores no empty values
  }
}

# SecureString with the key of AWS (alias/aws/ssm), which whoever may read the parameter may use: no KMS policy, and no
# USD a month for a key of our own. Secrets Manager would be 0.40 USD a month for each.
# Write-only: the values are sent, and are in no state and no plan; secrets_version says when to send them again.
resource "aws_ssm_parameter" "secret" {
  # checkov:skip=CKV_AWS_337:a key of our own is 1 USD a month and opens to the same roles
  for_each = toset(["DJANGO_SECRET_KEY", "DATABASE_URL", "OPENAI_API_KEY"])

  name             = "${local.secrets_path}/${each.key}"
  description      = "Read by the service itself (MEMORIES_SECRETS_PATH)"
  type             = "SecureString"
  value_wo         = local.secrets[each.key]
  value_wo_version = var.secrets_version
}

# What is live. A release writes it when it has succeeded, and a machine that starts anew runs it.
resource "aws_ssm_parameter" "image_tag" {
  # checkov:skip=CKV2_AWS_34:a commit is no secret
  name           = "/${var.app_name}/release/image_tag"
  description    = "The commit that is live: written by script/deploy-release, read by a machine that starts"
  type           = "String"
  insecure_value = var.image_tag

  lifecycle {
    ignore_changes = [insecure_value]
  }
}

# KEY=VALUE lines, read by each roll: a new value needs no new machine.
resource "aws_ssm_parameter" "api_environment" {
  # checkov:skip=CKV2_AWS_34:no secret is in it: those are in the parameters above
  count = local.api_on_ec2 ? 1 : 0

  name        = "/${var.app_name}/api/environment"
  description = "Environment of the API's container, read by each roll"
  type        = "String"
  insecure_value = join("\n", [
    for name, value in merge(local.environment, { AWS_REGION = var.aws_region }) : "${name}=${value}"
  ])
}
