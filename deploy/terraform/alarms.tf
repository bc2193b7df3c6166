# Ten alarms and ten metrics of our own are free: there are ten alarms at most (api_runtime = "both"), and three metrics.
# Each alarm says what its silence means: CloudWatch calls a metric without data "missing".

# Not encrypted: alarms cannot publish to a topic with the key of AWS, and one of our own is 1 USD a month. The mails
# hold names of alarms and numbers.
resource "aws_sns_topic" "alarms" {
  # checkov:skip=CKV_AWS_26:alarms cannot publish to a topic with the key of AWS, and one of our own is 1 USD a month
  name = "${var.app_name}-alarms"
}

resource "aws_sns_topic_policy" "alarms" {
  arn = aws_sns_topic.alarms.arn

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "OurAlarms"
      Effect    = "Allow"
      Principal = { Service = "cloudwatch.amazonaws.com" }
      Action    = "sns:Publish"
      Resource  = aws_sns_topic.alarms.arn
      Condition = {
        StringEquals = { "aws:SourceAccount" = local.account_id }
        ArnLike      = { "aws:SourceArn" = "arn:aws:cloudwatch:${local.place}:alarm:${var.app_name}-*" }
      }
    }]
  })
}

# AWS asks the address to confirm. A subscription that nobody confirmed is gone after 48 hours: apply again.
resource "aws_sns_topic_subscription" "mail" {
  topic_arn = aws_sns_topic.alarms.arn
  protocol  = "email"
  endpoint  = var.alarm_email
}

locals {
  minutes = 60 # seconds in one
  gb      = 1024 * 1024 * 1024

  all_alarms = {
    dead-letters = {
      description = "A message was given up after ${local.receives} receives. See dead letters in the admin."
      namespace   = "AWS/SQS"
      # Not ...Visible: the clock empties the queue each minute, so that a look at it now and then would miss most.
      metric     = "NumberOfMessagesReceived"
      dimensions = { QueueName = aws_sqs_queue.dead.name }
      statistic  = "Sum"
      threshold  = 1
      periods    = 1
      needed     = 1
      silence    = "notBreaching" # SQS says nothing of a queue that nobody uses
    }
    oldest-message = {
      description = "A recording has waited for more than 15 minutes: the worker is down, or too slow for what comes in."
      namespace   = "AWS/SQS"
      metric      = "ApproximateAgeOfOldestMessage"
      dimensions  = { QueueName = aws_sqs_queue.memories.name }
      statistic   = "Maximum"
      threshold   = 15 * local.minutes
      periods     = 1
      needed      = 1
      silence     = "notBreaching"
    }
    worker-errors = {
      description = "The worker crashed or ran out of time. Its log group says with which memory."
      namespace   = "AWS/Lambda"
      metric      = "Errors"
      dimensions  = { FunctionName = aws_lambda_function.this["worker"].function_name }
      statistic   = "Sum"
      threshold   = 1
      periods     = 1
      needed      = 1
      silence     = "notBreaching" # no recordings
    }
    worker-throttles = {
      description = "Lambda refused to run the worker: the account's concurrency is spent."
      namespace   = "AWS/Lambda"
      metric      = "Throttles"
      dimensions  = { FunctionName = aws_lambda_function.this["worker"].function_name }
      statistic   = "Sum"
      threshold   = 1
      periods     = 3
      needed      = 3              # once is nothing: the message comes again
      silence     = "notBreaching" # no recordings
    }
    clock = {
      description = "The clock stands still or fails, so nobody rings for what is stuck. Mostly it is the database or the NAT."
      namespace   = "AWS/Lambda"
      metric      = "Errors"
      dimensions  = { FunctionName = aws_lambda_function.this["clock"].function_name }
      statistic   = "Sum"
      threshold   = 1
      periods     = 3
      needed      = 2           # a restart of the database fails a tick or two
      silence     = "breaching" # it reports 0 errors each minute: silence means that it does not run
    }
    database-disk = {
      description = "Less than 2 GB are left on the database's disk, or the database is silent. Raise db_allocated_storage."
      namespace   = "AWS/RDS"
      metric      = "FreeStorageSpace"
      dimensions  = { DBInstanceIdentifier = aws_db_instance.this.identifier }
      statistic   = "Minimum"
      less_than   = 2 * local.gb
      periods     = 3
      needed      = 3
      silence     = "breaching" # it reports each minute while it runs
    }
    api-5xx = {
      there       = local.api_on_ec2
      description = "The API answered with 5xx. Its log group has the lines."
      namespace   = var.app_name
      metric      = "Http5xx"
      dimensions  = {}
      statistic   = "Sum"
      threshold   = 5
      periods     = 1
      needed      = 1
      silence     = "notBreaching" # no such answers
    }
    function-url-5xx = {
      there       = local.api_on_lambda
      description = "The API on Lambda answered with 5xx. Its log group has the lines."
      namespace   = "AWS/Lambda"
      metric      = "Url5xxCount"
      dimensions  = { FunctionName = "${var.app_name}-api" }
      statistic   = "Sum"
      threshold   = 5
      periods     = 1
      needed      = 1
      silence     = "notBreaching" # no requests
    }
    host-disk = {
      there       = local.has_host
      description = "The machine's disk is more than 85% full, or the machine is silent."
      namespace   = var.app_name
      metric      = "DiskUsedPercent"
      dimensions  = {}
      statistic   = "Maximum"
      threshold   = 85
      periods     = 3
      needed      = 3
      silence     = "breaching" # it reports every five minutes: silence means that the machine is dead, or its agent
    }
    # None of StatusCheckFailed_System: AWS moves a t2, t3 or t4g off broken hardware by itself, and silence tells of the rest.
    api-down = {
      there       = local.api_on_ec2
      description = "The API does not answer at its address: Caddy, its certificate, the container, or what it stands on."
      namespace   = var.app_name
      metric      = "ApiWell"
      dimensions  = {}
      statistic   = "Minimum"
      less_than   = 1
      periods     = 2
      needed      = 2
      silence     = "breaching" # it reports every five minutes: silence means that the machine is dead
    }
  }
  alarms = { for name, alarm in local.all_alarms : name => alarm if try(alarm.there, true) }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name        = "${var.app_name}-${each.key}"
  alarm_description = each.value.description

  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = 5 * local.minutes # as AWS reports without being paid for more
  evaluation_periods  = each.value.periods
  datapoints_to_alarm = each.value.needed
  comparison_operator = can(each.value.less_than) ? "LessThanThreshold" : "GreaterThanOrEqualToThreshold"
  threshold           = can(each.value.less_than) ? each.value.less_than : each.value.threshold
  treat_missing_data  = each.value.silence

  alarm_actions = [aws_sns_topic.alarms.arn]
  ok_actions    = [aws_sns_topic.alarms.arn]
}

# Answers of the proxy, so those that the API could not give any more count too.
resource "aws_cloudwatch_log_metric_filter" "api_5xx" {
  count = local.api_on_ec2 ? 1 : 0

  name           = "${var.app_name}-5xx"
  log_group_name = aws_cloudwatch_log_group.this["host"].name
  pattern        = "{ ($.logger = \"http.log.access*\") && ($.status >= 500) }"

  metric_transformation {
    namespace = var.app_name
    name      = "Http5xx"
    value     = "1"
  }
}

# Of the whole account, for what this service costs is seen there first. Budgets are free.
resource "aws_budgets_budget" "monthly" {
  name         = "${var.app_name}-monthly"
  budget_type  = "COST"
  time_unit    = "MONTHLY"
  limit_amount = tostring(var.monthly_budget_usd)
  limit_unit   = "USD"

  dynamic "notification" {
    for_each = { ACTUAL = 80, FORECASTED = 100 }
    content {
      notification_type          = notification.key
      comparison_operator        = "GREATER_THAN"
      threshold                  = notification.value
      threshold_type             = "PERCENTAGE"
      subscriber_email_addresses = [var.alarm_email]
    }
  }
}
