locals {
  # The names of buckets are shared by the whole world: with account and region in it, it can hardly be taken. If AWS
  # says BucketAlreadyExists all the same, choose another app_name; BucketAlreadyOwnedByYou means a bucket of an
  # earlier deployment: empty and delete it, or `terraform import aws_s3_bucket.audio NAME`.
  bucket_suffix = "${local.account_id}-${var.aws_region}"
  bucket_name   = "${var.app_name}-audio-${local.bucket_suffix}"
  bucket_arn    = "arn:aws:s3:::${local.bucket_name}"
  audio_prefix  = "audio/"
}

# No versioning: an erased recording must be gone, and not lie there as an old version.
resource "aws_s3_bucket" "audio" {
  # checkov:skip=CKV_AWS_21:an erased recording must be gone, and not lie there as an old version
  # checkov:skip=CKV_AWS_18:a log of reads is kept for ever or costs its own upkeep; CloudTrail can be switched on where one is wanted
  # checkov:skip=CKV_AWS_144:a second region doubles the bill; docs/deployment.md says how to grow there
  # checkov:skip=CKV_AWS_145:encrypted with the key of S3; one of our own is 1 USD a month and pays for each call
  # checkov:skip=CKV2_AWS_62:nobody waits for objects: the API rings itself once it has the row
  bucket        = local.bucket_name
  force_destroy = var.audio_force_destroy
}

resource "aws_s3_bucket_public_access_block" "audio" {
  bucket = aws_s3_bucket.audio.id

  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "audio" {
  bucket = aws_s3_bucket.audio.id

  rule {
    object_ownership = "BucketOwnerEnforced" # no ACLs at all
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "audio" {
  bucket = aws_s3_bucket.audio.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256" # SSE-S3: free, and presigned addresses need no rights on a key
    }
  }
}

resource "aws_s3_bucket_policy" "audio" {
  bucket = aws_s3_bucket.audio.id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "TLSOnly"
      Effect    = "Deny"
      Principal = "*"
      Action    = "s3:*"
      Resource  = [local.bucket_arn, "${local.bucket_arn}/*"]
      Condition = { Bool = { "aws:SecureTransport" = "false" } }
    }]
  })

  depends_on = [aws_s3_bucket_public_access_block.audio]
}

resource "aws_s3_bucket_lifecycle_configuration" "audio" {
  bucket = aws_s3_bucket.audio.id

  # The service tidies both away itself. This is for the day when it does not.
  rule {
    id     = "expire-audio"
    status = "Enabled"

    filter {
      prefix = local.audio_prefix
    }
    expiration {
      days = var.audio_retention_days
    }
  }

  rule {
    id     = "abort-unfinished-uploads"
    status = "Enabled"

    filter {}
    abort_incomplete_multipart_upload {
      days_after_initiation = 2 # an upload's address lives for an hour, and can be renewed for a day
    }
  }
}

# Pages upload straight to S3, which to a browser is another origin than theirs.
resource "aws_s3_bucket_cors_configuration" "audio" {
  bucket = aws_s3_bucket.audio.id

  cors_rule {
    allowed_origins = distinct(concat(local.api_origins, var.cors_origins))
    allowed_methods = ["PUT"]
    allowed_headers = ["content-type", "x-amz-*"]
    max_age_seconds = 3600
  }
}
