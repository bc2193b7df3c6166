locals {
  worker_timeout = 300 # seconds
  # AWS's advice: six times the function's time-out. Lambda holds a message while it waits for a free place (maximum
  # concurrency), and a message that shows up again meanwhile would count as received. Being long costs nothing: when a
  # worker dies, the sweep rings for its memory as soon as the lease has run out, minutes before the message is back.
  visibility_timeout = 6 * local.worker_timeout
  receives           = 3
  day                = 24 * 60 * 60
}

resource "aws_sqs_queue" "memories" {
  name                       = var.app_name
  visibility_timeout_seconds = local.visibility_timeout
  message_retention_seconds  = 4 * local.day # longer than anybody needs: the row is the job, and the sweep rings again
  receive_wait_time_seconds  = 20            # a long poll is one request, not twenty
  sqs_managed_sse_enabled    = true

  redrive_policy = jsonencode({
    deadLetterTargetArn = aws_sqs_queue.dead.arn
    maxReceiveCount     = local.receives
  })
}

# It triggers no function. An idle trigger polls about 648,000 times a month: two of them would go past the million
# requests that are free. The clock looks into it each minute and makes dead letters for staff (lambda.tf).
resource "aws_sqs_queue" "dead" {
  name                      = "${var.app_name}-dead"
  message_retention_seconds = 14 * local.day # SQS's longest: time to come back from holidays
  receive_wait_time_seconds = 0              # the clock asks and goes on
  sqs_managed_sse_enabled   = true
}

resource "aws_sqs_queue_redrive_allow_policy" "dead" {
  queue_url = aws_sqs_queue.dead.id

  redrive_allow_policy = jsonencode({
    redrivePermission = "byQueue"
    sourceQueueArns   = [aws_sqs_queue.memories.arn]
  })
}
