output "state_bucket" {
  description = "Where the state of the main configuration lies: TF_STATE_BUCKET of the repository's variables."
  value       = aws_s3_bucket.state.bucket
}

output "build_role_arn" {
  description = "AWS_BUILD_ROLE_ARN of the repository's variables."
  value       = aws_iam_role.github["build"].arn
}

output "deploy_role_arn" {
  description = "AWS_DEPLOY_ROLE_ARN of the repository's variables."
  value       = aws_iam_role.github["deploy"].arn
}

output "boundary_arn" {
  description = "The permissions boundary of every role of the main configuration."
  value       = aws_iam_policy.boundary.arn
}

output "region" {
  description = "AWS_REGION of the repository's variables."
  value       = var.aws_region
}
