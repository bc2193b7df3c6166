# Read by script/deploy-* through `terraform output -json`. Nothing in here is secret.

output "app_name" {
  description = "Prefix of every name."
  value       = var.app_name
}

output "region" {
  description = "Where it all is."
  value       = var.aws_region
}

output "api_runtime" {
  description = "Where the API runs: ec2, lambda or both."
  value       = var.api_runtime
}

output "api_url" {
  description = "Address of the API: the machine's, or the Function URL where there is none."
  value       = local.api_origins[0]
}

output "function_url" {
  description = "Address of the API on Lambda; null without it."
  value       = local.function_url
}

output "host_address" {
  description = "Address of the machine: what the A record of domain_name has to say. Null without one."
  value       = one(aws_eip.host[*].public_ip)
}

output "bucket_name" {
  description = "Where the audio lies."
  value       = aws_s3_bucket.audio.bucket
}

output "queue_url" {
  description = "The queue that rings the worker."
  value       = aws_sqs_queue.memories.url
}

output "dlq_url" {
  description = "The dead-letter queue."
  value       = aws_sqs_queue.dead.url
}

output "repository_url" {
  description = "Where images are pushed."
  value       = aws_ecr_repository.images.repository_url
}

output "worker_function_name" {
  description = "The function that transcribes and analyzes."
  value       = aws_lambda_function.this["worker"].function_name
}

output "clock_function_name" {
  description = "The function that runs each minute, and that migrates."
  value       = aws_lambda_function.this["clock"].function_name
}

output "api_function_name" {
  description = "The function behind the Function URL; null without it."
  value       = try(aws_lambda_function.this["api"].function_name, null)
}

output "instance_id" {
  description = "The machine; null without one."
  value       = one(aws_instance.host[*].id)
}

output "roll_document_name" {
  description = "The document of Systems Manager that rolls the API on its machine; null without one."
  value       = one(aws_ssm_document.roll[*].name)
}

output "release_parameter_name" {
  description = "The parameter that says which commit is live."
  value       = aws_ssm_parameter.image_tag.name
}

output "secrets_path" {
  description = "Where the three secrets are; the service reads them itself."
  value       = local.secrets_path
}

output "database_address" {
  description = "Host of the database, to be reached from inside the VPC."
  value       = aws_db_instance.this.address
}

output "alarm_names" {
  description = "Every alarm."
  value       = sort([for alarm in aws_cloudwatch_metric_alarm.this : alarm.alarm_name])
}

output "log_group_names" {
  description = "Where logs are."
  value       = sort([for group in aws_cloudwatch_log_group.this : group.name])
}
