# What each role may do, as Terraform writes it. That it is enough, and not too much, is proven by running the service
# under it (memories/tests/deployed/).

mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

run "roles" {
  command = plan
  variables {
    api_runtime = "both"
  }

  assert {
    condition     = toset([for role in concat(values(aws_iam_role.function), aws_iam_role.host) : role.name]) == toset(["memories-worker", "memories-clock", "memories-api", "memories-host"])
    error_message = "The names that bootstrap/ lets GitHub make."
  }
  assert {
    condition     = alltrue([for role in concat(values(aws_iam_role.function), aws_iam_role.host) : role.permissions_boundary == "arn:aws:iam::123456789012:policy/memories-boundary"])
    error_message = "Every role carries the boundary."
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.function : one(jsondecode(role.assume_role_policy).Statement).Principal == { Service = "lambda.amazonaws.com" }])
    error_message = "Only Lambda takes the roles of functions."
  }
  assert {
    condition     = one(jsondecode(aws_iam_role.host[0].assume_role_policy).Statement).Principal == { Service = "ec2.amazonaws.com" }
    error_message = "Only EC2 takes the machine's role."
  }
}

run "no_star_but_where_aws_takes_no_name" {
  command = plan
  variables {
    api_runtime = "both"
  }

  assert {
    condition = toset(flatten([
      for policy in concat(values(aws_iam_role_policy.function), aws_iam_role_policy.host) : [
        for statement in jsondecode(policy.policy).Statement : statement.Action if statement.Effect == "Allow" && contains(statement.Resource, "*")
      ]
      ])) == toset([
      "cloudwatch:PutMetricData", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets", "ec2messages:AcknowledgeMessage",
      "ec2messages:DeleteMessage", "ec2messages:FailMessage", "ec2messages:GetEndpoint", "ec2messages:GetMessages",
      "ec2messages:SendReply", "ecr:GetAuthorizationToken", "ssm:UpdateInstanceInformation", "ssmmessages:CreateControlChannel",
      "ssmmessages:CreateDataChannel", "ssmmessages:OpenControlChannel", "ssmmessages:OpenDataChannel",
    ])
    error_message = "A new exception needs its reason at the top of iam.tf, and its line here."
  }
  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_role_policy.function), aws_iam_role_policy.host) : [
        for statement in jsondecode(policy.policy).Statement : [for action in statement.Action : !strcontains(action, "*")]
      ]
    ]))
    error_message = "Actions are named one by one."
  }
  assert {
    condition = alltrue(flatten([
      for policy in concat(values(aws_iam_role_policy.function), aws_iam_role_policy.host) : [
        for statement in jsondecode(policy.policy).Statement : [for action in statement.Action : !startswith(action, "iam:") && !startswith(action, "sts:") && (!startswith(action, "kms:") || action == "kms:Decrypt")]
      ]
    ]))
    error_message = "No process has anything to do with roles or keys, but to read its secrets."
  }
}

run "who_may_what" {
  command = plan
  variables {
    api_runtime = "both"
  }

  assert {
    condition = {
      for name, policy in merge(aws_iam_role_policy.function, { host = aws_iam_role_policy.host[0] }) : name => join(" ", sort([
        for statement in jsondecode(policy.policy).Statement : statement.Sid if statement.Effect == "Allow"
      ]))
      } == {
      worker = "DecryptSecrets FindInterfaces ListAudio MakeInterfaces ReadAudio ReadSecrets Ring TakeMessages WriteLogs"
      clock  = "DecryptSecrets FindInterfaces ListAudio ListUnfinishedUploads MakeInterfaces ReadSecrets Ring TakeDeadMessages TidyAudio WriteLogs"
      api    = "DecryptSecrets FindInterfaces KeepAudio ListAudio MakeInterfaces ReadSecrets Ring WriteLogs"
      host   = "BeManaged DecryptSecrets KeepAudio ListAudio LogInToRegistry Measure PullImage ReadRelease ReadSecrets Ring WriteLogs"
    }
    error_message = "Each role has what its process needs, and nothing of another's."
  }
  assert {
    condition     = local.may.read_audio.Action == ["s3:GetObject"] && local.may.ring.Action == ["sqs:SendMessage"]
    error_message = "The worker reads recordings, and the API rings: no more."
  }
  assert {
    condition = alltrue([for name, policy in aws_iam_role_policy.function : one([
      for statement in jsondecode(policy.policy).Statement : statement if statement.Effect == "Deny"
    ]).Condition == { ArnEquals = { "lambda:SourceFunctionArn" = "arn:aws:lambda:us-east-1:123456789012:function:memories-${name}" } }])
    error_message = "What is Lambda's own to do with a role, code cannot do with it."
  }
  assert {
    condition     = local.may.decrypt_secrets.Condition == { StringEquals = { "kms:ViaService" = "ssm.us-east-1.amazonaws.com" } }
    error_message = "Keys open what Systems Manager hands out, and nothing else."
  }
  assert {
    condition     = local.may.keep_audio.Resource == ["arn:aws:s3:::memories-audio-123456789012-us-east-1/audio/*"]
    error_message = "Recordings lie under audio/, and nothing else is anybody's."
  }
}
