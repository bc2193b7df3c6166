locals {
  # Three functions of one image, each with a role of its own that can do what this one needs.
  # No reserved concurrency: new accounts have 10 places in all, and AWS keeps those that are not reserved at 10.
  all_functions = {
    worker = {
      description = "Transcribes and analyzes what the queue rings for"
      timeout     = local.worker_timeout
      memory      = 1024
      storage     = 2048 # a recording lies there twice while it is worked on, and once as decoded sound
      environment = {}
    }
    clock = {
      description = "Each minute: rings for what is stuck, records dead letters, tidies. A release migrates with it"
      timeout     = 900 # Lambda's longest, for migrations
      memory      = 512
      storage     = 512
      environment = {}
    }
    api = {
      description = "The API behind a Function URL"
      timeout     = 30
      memory      = 512
      storage     = 1024 # bodies are 6 MB at most; verifying a direct upload reads it in parts
      # Whoever waits for a change (?wait=) holds a whole function here, and that is paid for.
      environment = { MEMORIES_MAX_WAITERS = "0" }
    }
  }
  functions = { for name, function in local.all_functions : name => function if name != "api" || local.api_on_lambda }

  log_groups = merge(
    { for name in keys(local.functions) : name => "/aws/lambda/${var.app_name}-${name}" },
    local.has_host ? { host = "/${var.app_name}/host" } : {},
  )
}

resource "aws_cloudwatch_log_group" "this" {
  # checkov:skip=CKV_AWS_158:no words of recordings are in the logs; a key of our own is 1 USD a month
  # checkov:skip=CKV_AWS_338:logs name memories: a month is enough to find a fault, and longer is a choice (log_retention_days)
  for_each = local.log_groups

  name              = each.value
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_50:the log of each invocation has its id and the memory's; X-Ray would cost beyond its free traces
  # checkov:skip=CKV_AWS_115:new accounts have 10 places in all; the queue's trigger has a bound of its own
  # checkov:skip=CKV_AWS_116:the queue has one: a function's own is for calls that nobody makes here
  # checkov:skip=CKV_AWS_173:no secret is in the environment; a key of our own is 1 USD a month
  # checkov:skip=CKV_AWS_272:AWS signs no images: they are named by their commit, and only the build role can push them
  for_each = local.functions

  function_name = "${var.app_name}-${each.key}"
  description   = each.value.description
  role          = aws_iam_role.function[each.key].arn

  package_type  = "Image"
  image_uri     = "${aws_ecr_repository.images.repository_url}:lambda-${var.image_tag}"
  architectures = [var.architecture]
  publish       = true

  timeout     = each.value.timeout
  memory_size = each.value.memory
  ephemeral_storage {
    size = each.value.storage
  }

  vpc_config {
    subnet_ids         = aws_subnet.functions[*].id
    security_group_ids = [aws_security_group.functions.id]
  }

  environment {
    variables = merge(local.environment, each.value.environment)
  }

  lifecycle {
    # Releases are moved by script/deploy-release, for the migration has to come in between.
    ignore_changes = [image_uri]
  }

  depends_on = [
    aws_iam_role_policy.function,
    aws_cloudwatch_log_group.this, # else Lambda would make it, without an end
    aws_ecr_repository_policy.images,
  ]
}

# What serves. Triggers point here, so that a release is one move, and moving back is one too. A change of the settings
# above therefore reaches users with the release that follows.
resource "aws_lambda_alias" "live" {
  for_each = local.functions

  name             = "live"
  description      = "What serves; moved by script/deploy-release"
  function_name    = aws_lambda_function.this[each.key].function_name
  function_version = aws_lambda_function.this[each.key].version

  lifecycle {
    ignore_changes = [function_version, description] # a move writes into the description what it moved from
  }
}

# --- the worker: rung by the queue -----------------------------------------------------------------------------------

resource "aws_lambda_event_source_mapping" "worker" {
  event_source_arn = aws_sqs_queue.memories.arn
  function_name    = aws_lambda_alias.live["worker"].arn

  batch_size              = 1 # a recording may take all the time that there is
  function_response_types = ["ReportBatchItemFailures"]

  enabled = true # said, so that what a restore switched off is switched on again by the deploy that follows it

  # So many connections to PostgreSQL, and to OpenAI, however many recordings come in at once.
  scaling_config {
    maximum_concurrency = var.lambda_max_concurrency
  }
}

# --- the clock: each minute ------------------------------------------------------------------------------------------

resource "aws_cloudwatch_event_rule" "minute" {
  name                = "${var.app_name}-minute"
  description         = "The sweep, the dead letters, the tidying"
  schedule_expression = "rate(1 minute)"
  state               = "ENABLED" # not said, the provider would leave a rule off that somebody switched off
}

resource "aws_cloudwatch_event_target" "clock" {
  rule = aws_cloudwatch_event_rule.minute.name
  arn  = aws_lambda_alias.live["clock"].arn
}

resource "aws_lambda_permission" "minute" {
  statement_id  = "EachMinute"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this["clock"].function_name
  qualifier     = aws_lambda_alias.live["clock"].name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.minute.arn
}

# A tick that failed, or came late, is not repeated: the next one does its work.
resource "aws_lambda_function_event_invoke_config" "clock" {
  function_name                = aws_lambda_function.this["clock"].function_name
  qualifier                    = aws_lambda_alias.live["clock"].name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}

# --- the API behind a Function URL -----------------------------------------------------------------------------------

# Open to the world like any API: it asks for tokens itself. The provider makes the statement that lets callers in
# (lambda:InvokeFunctionUrl). New addresses need a second one, lambda:InvokeFunction for calls that come through the
# address only; this version of the provider cannot say that condition, so script/deploy-release makes it.
# No WAF: 5 USD a month, and it cannot stand before a Function URL anyway.
resource "aws_lambda_function_url" "api" {
  # checkov:skip=CKV_AWS_258:open like any API: it asks for tokens itself
  count = local.api_on_lambda ? 1 : 0

  function_name      = aws_lambda_function.this["api"].function_name
  qualifier          = aws_lambda_alias.live["api"].name
  authorization_type = "NONE"
}
