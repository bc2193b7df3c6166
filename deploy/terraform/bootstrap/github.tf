# GitHub's jobs get credentials for an hour (a destroy: two) by showing a token that GitHub signed: no key of AWS lies anywhere.

locals {
  github        = "token.actions.githubusercontent.com"
  oidc_provider = "arn:aws:iam::${local.account_id}:oidc-provider/${local.github}"

  # Who may become what: the whole subject, letter by letter, so that no fork, branch or pull request fits.
  # The environment `production` is to be bound to main and to a person's approval in the repository's settings
  # (docs/deployment.md): the subject of a job in an environment names no branch.
  subjects = {
    build  = "repo:${var.github_repository}:ref:refs/heads/main"
    deploy = "repo:${var.github_repository}:environment:production"
  }
}

# AWS knows GitHub's certificates: a thumbprint would be one more thing to go stale.
resource "aws_iam_openid_connect_provider" "github" {
  count = var.github_oidc_provider_exists ? 0 : 1

  url            = "https://${local.github}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "github" {
  # checkov:skip=CKV_AWS_393:subjects above is the whole of them, letter by letter; checkov does not follow each.value
  for_each = local.subjects

  name                 = "${var.app_name}-github-${each.key}"
  description          = "Taken by GitHub's jobs: ${each.value}"
  max_session_duration = 7200 # a destroy waits up to 45 minutes for Lambda's interfaces; jobs ask for an hour but that one

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Federated = local.oidc_provider }
      Action    = "sts:AssumeRoleWithWebIdentity"
      Condition = {
        StringEquals = {
          "${local.github}:aud" = "sts.amazonaws.com"
          "${local.github}:sub" = each.value
        }
      }
    }]
  })

  depends_on = [aws_iam_openid_connect_provider.github]
}

# --- build: pushes images, and nothing else ---------------------------------------------------------------------------

resource "aws_iam_role_policy" "build" {
  name = "rights"
  role = aws_iam_role.github["build"].id

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid    = "Push"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages",
          "ecr:DescribeImageScanFindings", "ecr:GetDownloadUrlForLayer", "ecr:InitiateLayerUpload", "ecr:PutImage",
          "ecr:UploadLayerPart",
        ]
        Resource = [local.repository_arn]
      },
      {
        # "*": the token is for the registry, and AWS takes no name for it.
        Sid      = "LogInToRegistry"
        Effect   = "Allow"
        Action   = ["ecr:GetAuthorizationToken"]
        Resource = ["*"]
      },
    ]
  })
}

# --- deploy: policies in deploy.tf -----------------------------------------------------------------------------------

resource "aws_iam_policy" "deploy" {
  for_each = local.deploy_policies

  name        = "${var.app_name}-github-deploy-${each.key}"
  description = "A part of what ${var.app_name}-github-deploy may do"
  policy      = jsonencode({ Version = "2012-10-17", Statement = each.value })
}

resource "aws_iam_role_policy_attachment" "deploy" {
  for_each = local.deploy_policies

  role       = aws_iam_role.github["deploy"].name
  policy_arn = aws_iam_policy.deploy[each.key].arn
}
