# One repository for both images, since they share most layers, and 500 MB are free in the first year.
resource "aws_ecr_repository" "images" {
  # checkov:skip=CKV_AWS_51:the tags -latest move; what is deployed is named by its commit
  # checkov:skip=CKV_AWS_136:a key of our own is 1 USD a month and hides nothing more from anybody
  name = var.app_name

  # The tags `api-latest` and `lambda-latest` move. What is deployed is named by its commit, and `script/images push` leaves a
  # commit alone that is there: a second build of it would take the tag from the image that is live, or that was.
  image_tag_mutability = "MUTABLE"
  # A destroy is to leave nothing, and images can be built again from their commit.
  force_delete = true

  image_scanning_configuration {
    scan_on_push = true
  }

  # AES256 with a key of AWS: a key of our own (CMK) is 1 USD a month and hides nothing more from anybody.
  encryption_configuration {
    encryption_type = "AES256"
  }
}

locals {
  # Five images of each kind: what is live, what was, and three more. Who pushes more than that without deploying loses
  # what is live (a machine that starts anew would not find its image): deploy, or raise this.
  images_kept = 5
  kinds       = ["api", "lambda"]
}

resource "aws_ecr_lifecycle_policy" "images" {
  repository = aws_ecr_repository.images.name

  policy = jsonencode({
    rules = concat(
      [for index, kind in local.kinds : {
        rulePriority = index + 1
        description  = "Keep the last ${local.images_kept} images of ${kind}"
        selection = {
          tagStatus     = "tagged"
          tagPrefixList = ["${kind}-"]
          countType     = "imageCountMoreThan"
          countNumber   = local.images_kept
        }
        action = { type = "expire" }
      }],
      [{
        rulePriority = length(local.kinds) + 1
        description  = "Drop what lost its tags"
        selection = {
          tagStatus   = "untagged"
          countType   = "sinceImagePushed"
          countUnit   = "days"
          countNumber = 1
        }
        action = { type = "expire" }
      }],
    )
  })
}

# Lambda pulls by itself, not with a function's role.
resource "aws_ecr_repository_policy" "images" {
  repository = aws_ecr_repository.images.name

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "LambdaPulls"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      # As AWS writes it; the account is in the name.
      Condition = { ArnLike = { "aws:SourceArn" = "arn:aws:lambda:${local.place}:function:${var.app_name}-*" } }
    }]
  })
}
