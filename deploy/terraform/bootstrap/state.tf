locals {
  # Names of buckets are shared by the whole world. If AWS says BucketAlreadyExists, set state_bucket_name.
  state_bucket = var.state_bucket_name != "" ? var.state_bucket_name : "${var.app_name}-terraform-${local.account_id}"
  state_arn    = "arn:aws:s3:::${local.state_bucket}"
}

resource "aws_s3_bucket" "state" {
  # checkov:skip=CKV_AWS_18:every version of the state is kept, and says who wrote it
  # checkov:skip=CKV_AWS_144:a second region is of no use without the service in it; versions bring back what was spoiled
  # checkov:skip=CKV_AWS_145:encrypted with the key of S3, and no secret is in it; a key of our own is 1 USD a month
  # checkov:skip=CKV2_AWS_62:nobody waits for changes of the state
  bucket        = local.state_bucket
  force_destroy = var.state_force_destroy
}

# A state that was spoiled can be had back.
resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    id     = "old-versions"
    status = "Enabled"

    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 90
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 2
    }
  }

  depends_on = [aws_s3_bucket_versioning.state]
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256" # no secret is in it: a key of our own, at 1 USD a month, would guard names
    }
  }
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket = aws_s3_bucket.state.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "state" {
  bucket = aws_s3_bucket.state.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_policy" "state" {
  bucket = aws_s3_bucket.state.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TLSOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.state_arn, "${local.state_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.state]
}
