# Who is trusted, and what the bounds of that trust are.

mock_provider "aws" {
  override_during = plan

  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/memories-boundary" }
  }
}

variables {
  github_repository = "octocat/memories"
}

run "only_this_repository_is_trusted" {
  command = plan

  assert {
    condition = { for name, role in aws_iam_role.github : name => one(jsondecode(role.assume_role_policy).Statement).Condition } == {
      build = { StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:octocat/memories:ref:refs/heads/main"
      } }
      deploy = { StringEquals = {
        "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
        "token.actions.githubusercontent.com:sub" = "repo:octocat/memories:environment:production"
      } }
    }
    error_message = "main may build and the environment production may deploy: letter by letter, and nobody else."
  }
  assert {
    condition = alltrue([for role in aws_iam_role.github : one(jsondecode(role.assume_role_policy).Statement).Principal == {
      Federated = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
    }])
    error_message = "Only GitHub's tokens open these roles."
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.github : role.max_session_duration == 7200])
    error_message = "Credentials end after two hours: the longest job is a destroy."
  }
}

run "the_state_is_kept" {
  command = plan

  assert {
    condition = alltrue([
      aws_s3_bucket.state.bucket == "memories-terraform-123456789012", !aws_s3_bucket.state.force_destroy,
      aws_s3_bucket_versioning.state.versioning_configuration[0].status == "Enabled",
      aws_s3_bucket_public_access_block.state.block_public_acls, aws_s3_bucket_public_access_block.state.block_public_policy,
      aws_s3_bucket_public_access_block.state.ignore_public_acls, aws_s3_bucket_public_access_block.state.restrict_public_buckets,
      jsondecode(aws_s3_bucket_policy.state.policy).Statement[0].Effect == "Deny",
    ])
    error_message = "The state is private, has its old versions, and is not deleted by accident."
  }
}

run "build_pushes_and_no_more" {
  command = plan

  assert {
    condition = toset(flatten([for statement in jsondecode(aws_iam_role_policy.build.policy).Statement : statement.Resource])) == toset([
      "arn:aws:ecr:us-east-1:123456789012:repository/memories", "*",
    ])
    error_message = "The build reaches the repository."
  }
  assert {
    condition     = alltrue(flatten([for statement in jsondecode(aws_iam_role_policy.build.policy).Statement : [for action in statement.Action : startswith(action, "ecr:") && !strcontains(action, "Delete")]]))
    error_message = "The build has images to push, and nothing to delete."
  }
}

run "keys_open_parameters_only" {
  command = plan

  assert {
    condition = [for statement in jsondecode(aws_iam_policy.boundary.policy).Statement : statement.Condition if anytrue([for action in statement.Action : startswith(action, "kms:")])] == [
      { StringEquals = { "kms:ViaService" = "ssm.us-east-1.amazonaws.com" } }
    ]
    error_message = "Keys open what Systems Manager hands out, and nothing else."
  }
}

run "deploy_is_bounded" {
  command = plan

  assert {
    condition = toset(flatten([for statements in local.deploy_policies : [
      for statement in statements : statement.Action if statement.Effect == "Allow" && contains(statement.Resource, "*") && !can(statement.Condition)
      ]])) == toset(concat(
      [for action in local.deploy_policies.network[0].Action : action if startswith(action, "ec2:Describe")],
      [
        "rds:DescribeDBEngineVersions", "rds:DescribeOrderableDBInstanceOptions", "lambda:GetEventSourceMapping",
        "lambda:ListEventSourceMappings", "logs:DescribeLogGroups", "ssm:DescribeInstanceInformation", "ssm:DescribeParameters",
        "ssm:GetCommandInvocation", "ssm:ListCommandInvocations",
      ],
    ))
    error_message = "A new exception needs its reason at the top of deploy.tf, and its line here."
  }
  assert {
    condition     = alltrue(flatten([for statements in local.deploy_policies : [for statement in statements : [for action in statement.Action : action == "iam:*" ? statement.Effect == "Deny" : !strcontains(action, "*")]]]))
    error_message = "Actions are named one by one."
  }
  assert {
    condition     = alltrue([for policy in aws_iam_policy.deploy : length(policy.policy) <= 6144]) && length(aws_iam_policy.deploy) <= 10
    error_message = "AWS takes ten policies of 6,144 characters."
  }
  assert {
    condition     = length(aws_iam_policy.boundary.policy) <= 6144
    error_message = "AWS takes 6,144 characters."
  }
}

run "deploy_makes_roles_within_the_boundary_only" {
  command = plan

  assert {
    condition = alltrue([for statement in local.deploy_policies.roles :
      statement.Condition == { StringEquals = { "iam:PermissionsBoundary" = aws_iam_policy.boundary.arn } }
      if statement.Effect == "Allow" && length(setintersection(statement.Action, ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"])) > 0
    ])
    error_message = "A role without the boundary could do anything."
  }
  assert {
    condition = length(setintersection(flatten([for statements in local.deploy_policies : [for statement in statements : statement.Action if statement.Effect == "Allow"]]), [
      "iam:AttachRolePolicy", "iam:CreatePolicy", "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeleteRolePermissionsBoundary",
      "iam:UpdateAssumeRolePolicy", "iam:CreateUser", "iam:CreateAccessKey", "iam:UpdateOpenIDConnectProviderThumbprint", "sts:AssumeRole",
      "s3:GetObjectVersion", "sqs:ReceiveMessage", "sqs:SendMessage",
    ])) == 0
    error_message = "These would lead out of the bounds, or into what people said."
  }
  assert {
    condition     = alltrue([for arn in local.role_arns : !strcontains(arn, "github")]) && one([for statement in local.deploy_policies.roles : statement if statement.Effect == "Deny"]).Action == ["iam:*"]
    error_message = "The role must not be able to change itself, nor its sister."
  }
  assert {
    condition     = one([for statement in local.deploy_policies.roles : statement.Condition if contains(statement.Action, "iam:PassRole")]) == { StringEquals = { "iam:PassedToService" = ["lambda.amazonaws.com", "ec2.amazonaws.com"] } }
    error_message = "Roles are for functions and the machine."
  }
  assert {
    condition     = toset(flatten([for statement in local.deploy_policies.machine : statement.Resource if contains(statement.Action, "ssm:SendCommand")])) == toset(["arn:aws:ssm:us-east-1:123456789012:document/memories-roll", "arn:aws:ec2:us-east-1:123456789012:instance/*"])
    error_message = "GitHub runs our document on the machine, and no other."
  }
  assert {
    condition     = [for statement in local.deploy_policies.state : statement.Resource if contains(statement.Action, "s3:GetObject")] == [["arn:aws:s3:::memories-terraform-123456789012/prod/*"]]
    error_message = "The state of the bootstrap is nobody's but the administrator's."
  }
}

run "an_account_that_knows_github_already" {
  command = plan
  variables {
    github_oidc_provider_exists = true
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 0
    error_message = "An account has one provider for GitHub."
  }
}

run "a_repository_as_github_signs_it_since_2026" {
  command = plan
  variables {
    github_repository = "octocat@1234/memories@5678"
  }

  assert {
    condition     = local.subjects.deploy == "repo:octocat@1234/memories@5678:environment:production"
    error_message = "The numbers are part of the subject."
  }
}

run "every_repository" {
  command = plan
  variables {
    github_repository = "octocat/*"
  }
  expect_failures = [var.github_repository]
}

run "an_address_is_no_repository" {
  command = plan
  variables {
    github_repository = "https://github.com/octocat/memories"
  }
  expect_failures = [var.github_repository]
}

run "a_clone_address_is_no_repository" {
  command = plan
  variables {
    github_repository = "octocat/memories.git"
  }
  expect_failures = [var.github_repository]
}

run "a_bucket_with_capitals" {
  command = plan
  variables {
    state_bucket_name = "Memories"
  }
  expect_failures = [var.state_bucket_name]
}

run "a_zone_is_no_region" {
  command = plan
  variables {
    aws_region = "us-east-1a"
  }
  expect_failures = [var.aws_region]
}

run "a_name_with_a_star" {
  command = plan
  variables {
    app_name = "memories*"
  }
  expect_failures = [var.app_name]
}
