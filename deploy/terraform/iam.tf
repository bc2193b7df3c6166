# Every role and everything that it may do. Statements are named values, so that the same right is written once, and so
# that tests read them as they are.
#
# "*" stands as a resource where AWS takes no name, and nowhere else:
#   ecr:GetAuthorizationToken          the token is for the registry; which images it pulls is another statement
#   ec2:DescribeNetworkInterfaces      } Lambda looks for its interfaces with these; AWS knows no names for them
#   ec2:DescribeSubnets                }
#   cloudwatch:PutMetricData           knows no names; bounded by the namespace
#   ssm:UpdateInstanceInformation      } the agent's heartbeat and its channels to Systems Manager: they carry what is
#   ssmmessages:*, ec2messages:*       } sent to the instance whose credentials they come with, and to no other
# AWS's own AmazonSSMManagedInstanceCore is not used: it lets a machine read every parameter of the account.

locals {
  audio_objects = "${local.bucket_arn}/${local.audio_prefix}*"
  secret_arns   = [for secret in aws_ssm_parameter.secret : secret.arn]

  may = {
    read_secrets = {
      Sid      = "ReadSecrets"
      Effect   = "Allow"
      Action   = ["ssm:GetParameters"]
      Resource = local.secret_arns
    }
    # The key of AWS lets in whoever may read the parameter; that its policy stays so is not ours to say.
    decrypt_secrets = {
      Sid       = "DecryptSecrets"
      Effect    = "Allow"
      Action    = ["kms:Decrypt"]
      Resource  = ["arn:aws:kms:${local.place}:key/*"]
      Condition = { StringEquals = { "kms:ViaService" = "ssm.${var.aws_region}.amazonaws.com" } }
    }
    # S3 calls a missing object "access denied" to whoever may not list; readyz asks for the bucket's head.
    list_audio = {
      Sid      = "ListAudio"
      Effect   = "Allow"
      Action   = ["s3:ListBucket"]
      Resource = [local.bucket_arn]
    }
    list_uploads = {
      Sid      = "ListUnfinishedUploads"
      Effect   = "Allow"
      Action   = ["s3:ListBucketMultipartUploads"]
      Resource = [local.bucket_arn]
    }
    read_audio = {
      Sid      = "ReadAudio"
      Effect   = "Allow"
      Action   = ["s3:GetObject"]
      Resource = [local.audio_objects]
    }
    tidy_audio = {
      Sid      = "TidyAudio"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
      Resource = [local.audio_objects]
    }
    keep_audio = {
      Sid      = "KeepAudio"
      Effect   = "Allow"
      Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
      Resource = [local.audio_objects]
    }
    ring = {
      Sid      = "Ring"
      Effect   = "Allow"
      Action   = ["sqs:SendMessage"]
      Resource = [aws_sqs_queue.memories.arn]
    }
    take_messages = {
      Sid      = "TakeMessages"
      Effect   = "Allow"
      Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
      Resource = [aws_sqs_queue.memories.arn]
    }
    take_dead_messages = {
      Sid      = "TakeDeadMessages"
      Effect   = "Allow"
      Action   = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]
      Resource = [aws_sqs_queue.dead.arn]
    }
    pull_image = {
      Sid      = "PullImage"
      Effect   = "Allow"
      Action   = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
      Resource = [aws_ecr_repository.images.arn]
    }
    log_in_to_ecr = {
      Sid      = "LogInToRegistry"
      Effect   = "Allow"
      Action   = ["ecr:GetAuthorizationToken"]
      Resource = ["*"]
    }
    read_release = {
      Sid      = "ReadRelease"
      Effect   = "Allow"
      Action   = ["ssm:GetParameter", "ssm:GetParameters"]
      Resource = [for name in ["release/image_tag", "api/environment"] : "arn:aws:ssm:${local.place}:parameter/${var.app_name}/${name}"]
    }
    measure = {
      Sid       = "Measure"
      Effect    = "Allow"
      Action    = ["cloudwatch:PutMetricData"]
      Resource  = ["*"]
      Condition = { StringEquals = { "cloudwatch:namespace" = var.app_name } }
    }
    be_managed = {
      Sid    = "BeManaged"
      Effect = "Allow"
      Action = [
        "ssm:UpdateInstanceInformation",
        "ssmmessages:CreateControlChannel", "ssmmessages:CreateDataChannel",
        "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
        "ec2messages:AcknowledgeMessage", "ec2messages:DeleteMessage", "ec2messages:FailMessage",
        "ec2messages:GetEndpoint", "ec2messages:GetMessages", "ec2messages:SendReply",
      ]
      Resource = ["*"]
    }
    find_interfaces = {
      Sid      = "FindInterfaces"
      Effect   = "Allow"
      Action   = ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"]
      Resource = ["*"]
    }
    # Lambda makes interfaces in our subnets with the function's role. Narrower than the account's own in this region
    # AWS says that functions may not start (Lambda's guide, "Giving functions access to a VPC").
    make_interfaces = {
      Sid      = "MakeInterfaces"
      Effect   = "Allow"
      Action   = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:AssignPrivateIpAddresses", "ec2:UnassignPrivateIpAddresses"]
      Resource = ["arn:aws:ec2:${local.place}:*/*"]
    }
  }

  # What was allowed to the Lambda service only: the code of a function cannot do it with the same role.
  not_by_code = {
    for name in keys(local.functions) : name => {
      Sid      = "NotByCode"
      Effect   = "Deny"
      Action   = concat(local.may.find_interfaces.Action, local.may.make_interfaces.Action)
      Resource = ["*"]
      Condition = {
        ArnEquals = { "lambda:SourceFunctionArn" = "arn:aws:lambda:${local.place}:function:${var.app_name}-${name}" }
      }
    }
  }

  in_vpc      = [local.may.find_interfaces, local.may.make_interfaces]
  get_secrets = [local.may.read_secrets, local.may.decrypt_secrets]
  api         = concat(local.get_secrets, [local.may.list_audio, local.may.keep_audio, local.may.ring])

  function_rights = {
    worker = concat(local.get_secrets, [local.may.list_audio, local.may.read_audio, local.may.take_messages, local.may.ring])
    clock  = concat(local.get_secrets, [local.may.list_audio, local.may.list_uploads, local.may.tidy_audio, local.may.take_dead_messages, local.may.ring])
    api    = local.api
  }
  host_rights = concat(
    [local.may.be_managed, local.may.measure],
    [for right in concat(local.api, [local.may.pull_image, local.may.log_in_to_ecr, local.may.read_release]) : right if local.api_on_ec2],
  )

  # Streams in the group of one's own. Not CreateLogGroup: a group that was deleted would come back without an end.
  write_logs = {
    for name, group in local.log_groups : name => {
      Sid      = "WriteLogs"
      Effect   = "Allow"
      Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
      Resource = ["arn:aws:logs:${local.place}:log-group:${group}:log-stream:*"]
    }
  }
}

# --- the functions ---------------------------------------------------------------------------------------------------

resource "aws_iam_role" "function" {
  for_each = local.functions

  name                 = "${var.app_name}-${each.key}"
  description          = each.value.description
  permissions_boundary = local.boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name = "rights"
  role = aws_iam_role.function[each.key].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.function_rights[each.key], [local.write_logs[each.key]], local.in_vpc, [local.not_by_code[each.key]])
  })
}

# --- the machine -----------------------------------------------------------------------------------------------------

resource "aws_iam_role" "host" {
  count = local.has_host ? 1 : 0

  name                 = "${var.app_name}-host"
  description          = "The machine of the API and of the NAT"
  permissions_boundary = local.boundary_arn

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Principal = { Service = "ec2.amazonaws.com" }
      Action    = "sts:AssumeRole"
    }]
  })
}

resource "aws_iam_role_policy" "host" {
  count = local.has_host ? 1 : 0

  name = "rights"
  role = aws_iam_role.host[0].id
  policy = jsonencode({
    Version   = "2012-10-17"
    Statement = concat(local.host_rights, [local.write_logs["host"]])
  })
}

resource "aws_iam_instance_profile" "host" {
  count = local.has_host ? 1 : 0

  name = "${var.app_name}-host"
  role = aws_iam_role.host[0].name
}
