# What the main configuration will make, by the names that it will have: policies can name it before it is there.

locals {
  repository_arn = "arn:aws:ecr:${local.place}:repository/${var.app_name}"
  audio_arn      = "arn:aws:s3:::${var.app_name}-audio-${local.account_id}-${var.aws_region}"
  queue_arns     = ["arn:aws:sqs:${local.place}:${var.app_name}", "arn:aws:sqs:${local.place}:${var.app_name}-dead"]
  log_group_arns = [
    "arn:aws:logs:${local.place}:log-group:/aws/lambda/${var.app_name}-*",
    "arn:aws:logs:${local.place}:log-group:/${var.app_name}/*",
  ]

  functions     = ["worker", "clock", "api"]
  function_arns = [for name in local.functions : "arn:aws:lambda:${local.place}:function:${var.app_name}-${name}"]
  # With their versions and aliases.
  function_and_version_arns = flatten([for arn in local.function_arns : [arn, "${arn}:*"]])

  role_arns        = [for name in concat(local.functions, ["host"]) : "arn:aws:iam::${local.account_id}:role/${var.app_name}-${name}"]
  instance_profile = "arn:aws:iam::${local.account_id}:instance-profile/${var.app_name}-host"
  parameter_arns   = ["arn:aws:ssm:${local.place}:parameter/${var.app_name}/*"]
  document_arn     = "arn:aws:ssm:${local.place}:document/${var.app_name}-roll"
  alarm_arns       = ["arn:aws:cloudwatch:${local.place}:alarm:${var.app_name}-*"]
  topic_arn        = "arn:aws:sns:${local.place}:${var.app_name}-alarms"
  rule_arn         = "arn:aws:events:${local.place}:rule/${var.app_name}-minute"
  budget_arn       = "arn:aws:budgets::${local.account_id}:budget/${var.app_name}-monthly"
}
