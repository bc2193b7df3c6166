# What GitHub's deploy role may do: make, change and destroy what the main configuration holds, and release. Everything
# that has a name is named; what has a random id (networks, the machine) must carry our tag to be changed. It reads no
# recording and no queue, and makes no role beyond the boundary.
#
# "*" stands as a resource where AWS takes no name, and nowhere else:
#   ec2:Describe*, by name      AWS shows all or nothing
#   rds:Describe* (engines), ssm:DescribeParameters, ssm:DescribeInstanceInformation, logs:DescribeLogGroups: the same
#   ssm:GetCommandInvocation    a command has an id that nobody knows before
#   lambda:Create/List/GetEventSourceMapping  have no names; bounded by the function that they trigger
# A managed policy holds 6,144 characters, so there are several.

locals {
  ours = { StringEquals = { "aws:ResourceTag/app" = var.app_name } }

  deploy_policies = {
    state = [
      {
        Sid      = "FindState"
        Effect   = "Allow"
        Action   = ["s3:ListBucket"]
        Resource = [local.state_arn]
      },
      {
        Sid      = "KeepState"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject"]
        Resource = ["${local.state_arn}/prod/*"]
      },
      {
        Sid      = "Unlock"
        Effect   = "Allow"
        Action   = ["s3:DeleteObject"]
        Resource = ["${local.state_arn}/prod/*.tflock"] # the state itself is never deleted
      },
    ]

    network = [
      {
        Sid    = "Look"
        Effect = "Allow"
        Action = [for what in [
          "AccountAttributes", "Addresses", "AddressesAttribute", "AvailabilityZones", "IamInstanceProfileAssociations",
          "Images", "InstanceAttribute", "InstanceCreditSpecifications", "InstanceStatus", "InstanceTypeOfferings",
          "InstanceTypes", "Instances", "NatGateways", "NetworkAcls", "NetworkInterfaces", "PrefixLists", "RouteTables",
          "SecurityGroupRules", "SecurityGroups", "Subnets", "Tags", "Volumes", "VpcAttribute", "VpcEndpoints", "Vpcs",
        ] : "ec2:Describe${what}"]
        Resource = ["*"]
      },
      {
        Sid    = "Make"
        Effect = "Allow"
        Action = [
          "ec2:AllocateAddress", "ec2:CreateNatGateway", "ec2:CreateRouteTable", "ec2:CreateSecurityGroup",
          "ec2:CreateSubnet", "ec2:CreateVpcEndpoint", "ec2:RunInstances",
        ]
        Resource = ["arn:aws:ec2:${local.place}:*/*", "arn:aws:ec2:${var.aws_region}::image/*"]
      },
      {
        # Only in the same call: nobody gets a right on a thing by tagging it.
        Sid      = "TagWhatIsMade"
        Effect   = "Allow"
        Action   = ["ec2:CreateTags"]
        Resource = ["arn:aws:ec2:${local.place}:*/*"]
        Condition = {
          StringLike   = { "ec2:CreateAction" = "*" }
          StringEquals = { "aws:RequestTag/app" = var.app_name }
        }
      },
      {
        Sid    = "ChangeWhatIsOurs"
        Effect = "Allow"
        Action = [
          "ec2:AssociateAddress", "ec2:AssociateRouteTable", "ec2:AuthorizeSecurityGroupEgress",
          "ec2:AuthorizeSecurityGroupIngress", "ec2:CreateRoute", "ec2:CreateTags", "ec2:DeleteNatGateway",
          "ec2:DeleteRoute", "ec2:DeleteRouteTable", "ec2:DeleteSecurityGroup", "ec2:DeleteSubnet", "ec2:DeleteTags",
          "ec2:DeleteVpcEndpoints", "ec2:DisassociateAddress", "ec2:DisassociateRouteTable", "ec2:ModifyInstanceAttribute",
          "ec2:ModifyInstanceCreditSpecification", "ec2:ModifyInstanceMetadataOptions", "ec2:ModifySecurityGroupRules",
          "ec2:ModifySubnetAttribute", "ec2:ModifyVolume", "ec2:ModifyVpcEndpoint", "ec2:MonitorInstances", "ec2:ReleaseAddress",
          "ec2:ReplaceRoute", "ec2:ReplaceRouteTableAssociation", "ec2:RevokeSecurityGroupEgress",
          "ec2:RevokeSecurityGroupIngress", "ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances",
          "ec2:UnmonitorInstances", "ec2:UpdateSecurityGroupRuleDescriptionsEgress",
          "ec2:UpdateSecurityGroupRuleDescriptionsIngress",
        ]
        Resource  = ["arn:aws:ec2:${local.place}:*/*"]
        Condition = local.ours
      },
      {
        # Interfaces that Lambda leaves behind, without a tag. AWS deletes none that is attached to anything.
        Sid      = "SweepInterfaces"
        Effect   = "Allow"
        Action   = ["ec2:DeleteNetworkInterface"]
        Resource = ["arn:aws:ec2:${local.place}:network-interface/*"]
      },
      {
        # What such a call touches beside what is ours: a rule that is only being made, an interface of the machine.
        Sid    = "BesideWhatIsOurs"
        Effect = "Allow"
        Action = [
          "ec2:AssociateAddress", "ec2:AuthorizeSecurityGroupEgress", "ec2:AuthorizeSecurityGroupIngress", "ec2:DisassociateAddress",
        ]
        Resource = ["arn:aws:ec2:${local.place}:network-interface/*", "arn:aws:ec2:${local.place}:security-group-rule/*"]
      },
    ]

    data = [
      {
        Sid    = "Database"
        Effect = "Allow"
        Action = [
          "rds:AddTagsToResource", "rds:CreateDBInstance", "rds:CreateDBParameterGroup", "rds:CreateDBSnapshot",
          "rds:CreateDBSubnetGroup", "rds:DeleteDBInstance", "rds:DeleteDBParameterGroup", "rds:DeleteDBSubnetGroup",
          "rds:DescribeDBParameterGroups", "rds:DescribeDBParameters", "rds:DescribeDBSubnetGroups", "rds:ListTagsForResource",
          "rds:ModifyDBInstance", "rds:ModifyDBParameterGroup", "rds:ModifyDBSubnetGroup", "rds:RebootDBInstance",
          "rds:RemoveTagsFromResource", "rds:ResetDBParameterGroup",
        ]
        Resource = [
          "arn:aws:rds:${local.place}:db:${var.app_name}",
          "arn:aws:rds:${local.place}:og:default*",
          "arn:aws:rds:${local.place}:pg:${var.app_name}-*",
          "arn:aws:rds:${local.place}:snapshot:${var.app_name}-*",
          "arn:aws:rds:${local.place}:subgrp:${var.app_name}",
        ]
      },
      {
        Sid      = "LookForDatabase" # by its id, not by its name
        Effect   = "Allow"
        Action   = ["rds:DescribeDBInstances"]
        Resource = ["arn:aws:rds:${local.place}:db:*"]
      },
      {
        Sid      = "LookForEngines"
        Effect   = "Allow"
        Action   = ["rds:DescribeDBEngineVersions", "rds:DescribeOrderableDBInstanceOptions"]
        Resource = ["*"]
      },
      {
        Sid    = "AudioBucket"
        Effect = "Allow"
        Action = concat(
          [for what in [
            "BucketAcl", "BucketCORS", "BucketLocation", "BucketLogging", "BucketObjectLockConfiguration",
            "BucketOwnershipControls", "BucketPolicy", "BucketPublicAccessBlock", "BucketRequestPayment", "BucketTagging",
            "BucketVersioning", "BucketWebsite", "AccelerateConfiguration", "EncryptionConfiguration",
            "LifecycleConfiguration", "ReplicationConfiguration",
          ] : "s3:Get${what}"],
          [for what in [
            "BucketCORS", "BucketOwnershipControls", "BucketPolicy", "BucketPublicAccessBlock", "BucketTagging",
            "EncryptionConfiguration", "LifecycleConfiguration",
          ] : "s3:Put${what}"],
          ["s3:CreateBucket", "s3:DeleteBucket", "s3:DeleteBucketPolicy", "s3:ListBucket", "s3:ListBucketVersions"],
        )
        Resource = [local.audio_arn]
      },
      {
        Sid      = "EmptyBucket" # a destroy with audio_force_destroy; not GetObject: no deploy reads a recording
        Effect   = "Allow"
        Action   = ["s3:DeleteObject", "s3:DeleteObjectVersion"]
        Resource = ["${local.audio_arn}/*"]
      },
      {
        Sid    = "Queues"
        Effect = "Allow"
        Action = [for what in [
          "CreateQueue", "DeleteQueue", "GetQueueAttributes", "GetQueueUrl", "ListQueueTags", "SetQueueAttributes", "TagQueue", "UntagQueue",
        ] : "sqs:${what}"]
        Resource = local.queue_arns
      },
    ]

    functions = [
      {
        Sid    = "Functions"
        Effect = "Allow"
        Action = [for what in [
          "AddPermission", "CreateAlias", "CreateFunction", "CreateFunctionUrlConfig", "DeleteAlias", "DeleteFunction",
          "DeleteFunctionEventInvokeConfig", "DeleteFunctionUrlConfig", "GetAlias", "GetFunction",
          "GetFunctionCodeSigningConfig", "GetFunctionConcurrency", "GetFunctionConfiguration", "GetFunctionEventInvokeConfig",
          "GetFunctionUrlConfig", "GetPolicy", "ListAliases", "ListTags", "ListVersionsByFunction", "PublishVersion",
          "PutFunctionEventInvokeConfig", "RemovePermission", "TagResource", "UntagResource", "UpdateAlias",
          "UpdateFunctionCode", "UpdateFunctionConfiguration", "UpdateFunctionEventInvokeConfig", "UpdateFunctionUrlConfig",
        ] : "lambda:${what}"]
        Resource = local.function_and_version_arns
      },
      {
        Sid      = "Migrate" # the clock only: nobody needs to call the worker by hand
        Effect   = "Allow"
        Action   = ["lambda:InvokeFunction"]
        Resource = ["arn:aws:lambda:${local.place}:function:${var.app_name}-clock", "arn:aws:lambda:${local.place}:function:${var.app_name}-clock:*"]
      },
      {
        Sid       = "Trigger"
        Effect    = "Allow"
        Action    = ["lambda:CreateEventSourceMapping", "lambda:DeleteEventSourceMapping", "lambda:UpdateEventSourceMapping"]
        Resource  = ["*"]
        Condition = { ArnLike = { "lambda:FunctionArn" = local.function_and_version_arns } }
      },
      {
        Sid      = "LookForTriggers"
        Effect   = "Allow"
        Action   = ["lambda:GetEventSourceMapping", "lambda:ListEventSourceMappings"]
        Resource = ["*"]
      },
      {
        Sid      = "TagTriggers"
        Effect   = "Allow"
        Action   = ["lambda:ListTags", "lambda:TagResource", "lambda:UntagResource"]
        Resource = ["arn:aws:lambda:${local.place}:event-source-mapping:*"]
      },
      {
        Sid    = "Schedule"
        Effect = "Allow"
        Action = [for what in [
          "DeleteRule", "DescribeRule", "ListTagsForResource", "ListTargetsByRule", "PutRule", "PutTargets", "RemoveTargets",
          "TagResource", "UntagResource",
        ] : "events:${what}"]
        Resource = [local.rule_arn]
      },
      {
        Sid    = "Repository"
        Effect = "Allow"
        Action = [for what in [
          "BatchDeleteImage", "BatchGetImage", "CreateRepository", "DeleteLifecyclePolicy", "DeleteRepository",
          "DeleteRepositoryPolicy", "DescribeImages", "DescribeRepositories", "GetDownloadUrlForLayer", "GetLifecyclePolicy",
          "GetRepositoryPolicy", "ListImages", "ListTagsForResource", "PutImageScanningConfiguration",
          "PutImageTagMutability", "PutLifecyclePolicy", "SetRepositoryPolicy", "TagResource", "UntagResource",
        ] : "ecr:${what}"]
        Resource = [local.repository_arn]
      },
    ]

    machine = [
      {
        Sid    = "Parameters"
        Effect = "Allow"
        Action = [
          "ssm:AddTagsToResource", "ssm:DeleteParameter", "ssm:GetParameter", "ssm:GetParameters",
          "ssm:ListTagsForResource", "ssm:PutParameter", "ssm:RemoveTagsFromResource",
        ]
        Resource = local.parameter_arns
      },
      {
        Sid      = "NewestLinux" # parameters of AWS itself
        Effect   = "Allow"
        Action   = ["ssm:GetParameter"]
        Resource = ["arn:aws:ssm:${var.aws_region}::parameter/aws/service/ami-amazon-linux-latest/*"]
      },
      {
        Sid    = "RollDocument"
        Effect = "Allow"
        Action = [
          "ssm:AddTagsToResource", "ssm:CreateDocument", "ssm:DeleteDocument", "ssm:DescribeDocument",
          "ssm:DescribeDocumentPermission", "ssm:GetDocument", "ssm:ListTagsForResource", "ssm:RemoveTagsFromResource",
          "ssm:UpdateDocument", "ssm:UpdateDocumentDefaultVersion",
        ]
        Resource = [local.document_arn]
      },
      {
        # Our document, and no other: not AWS-RunShellScript.
        Sid      = "RollByDocument"
        Effect   = "Allow"
        Action   = ["ssm:SendCommand"]
        Resource = [local.document_arn]
      },
      {
        Sid       = "RollOnMachine"
        Effect    = "Allow"
        Action    = ["ssm:SendCommand"]
        Resource  = ["arn:aws:ec2:${local.place}:instance/*"]
        Condition = { StringEquals = { "ssm:resourceTag/app" = var.app_name } }
      },
      {
        Sid      = "WatchRoll"
        Effect   = "Allow"
        Action   = ["ssm:DescribeInstanceInformation", "ssm:DescribeParameters", "ssm:GetCommandInvocation", "ssm:ListCommandInvocations"]
        Resource = ["*"]
      },
    ]

    watching = [
      {
        Sid    = "Logs"
        Effect = "Allow"
        Action = [for what in [
          "CreateLogGroup", "DeleteLogGroup", "DeleteMetricFilter", "DeleteRetentionPolicy", "DescribeMetricFilters",
          "ListTagsForResource", "PutMetricFilter", "PutRetentionPolicy", "TagResource", "UntagResource",
        ] : "logs:${what}"]
        Resource = flatten([for arn in local.log_group_arns : [arn, "${arn}:*"]])
      },
      {
        Sid      = "LookForLogs"
        Effect   = "Allow"
        Action   = ["logs:DescribeLogGroups"]
        Resource = ["*"]
      },
      {
        Sid      = "Alarms"
        Effect   = "Allow"
        Action   = [for what in ["DeleteAlarms", "DescribeAlarms", "ListTagsForResource", "PutMetricAlarm", "TagResource", "UntagResource"] : "cloudwatch:${what}"]
        Resource = local.alarm_arns
      },
      {
        Sid    = "AlarmTopic"
        Effect = "Allow"
        Action = [for what in [
          "CreateTopic", "DeleteTopic", "GetSubscriptionAttributes", "GetTopicAttributes", "ListSubscriptionsByTopic",
          "ListTagsForResource", "SetSubscriptionAttributes", "SetTopicAttributes", "Subscribe", "TagResource", "Unsubscribe", "UntagResource",
        ] : "sns:${what}"]
        Resource = [local.topic_arn, "${local.topic_arn}:*"]
      },
      {
        Sid      = "Budget"
        Effect   = "Allow"
        Action   = [for what in ["ListTagsForResource", "ModifyBudget", "TagResource", "UntagResource", "ViewBudget"] : "budgets:${what}"]
        Resource = [local.budget_arn]
      },
    ]

    roles = [
      {
        Sid       = "MakeRolesWithinBoundary"
        Effect    = "Allow"
        Action    = ["iam:CreateRole", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary", "iam:PutRolePolicy"]
        Resource  = local.role_arns
        Condition = { StringEquals = { "iam:PermissionsBoundary" = aws_iam_policy.boundary.arn } }
      },
      {
        # Not UpdateAssumeRolePolicy: who may take a role is settled when it is made.
        Sid    = "KeepRoles"
        Effect = "Allow"
        Action = [for what in [
          "DeleteRole", "GetRole", "GetRolePolicy", "ListAttachedRolePolicies", "ListInstanceProfilesForRole", "ListRolePolicies",
          "ListRoleTags", "TagRole", "UntagRole", "UpdateRole", "UpdateRoleDescription",
        ] : "iam:${what}"]
        Resource = local.role_arns
      },
      {
        Sid    = "InstanceProfile"
        Effect = "Allow"
        Action = [for what in [
          "AddRoleToInstanceProfile", "CreateInstanceProfile", "DeleteInstanceProfile", "GetInstanceProfile",
          "ListInstanceProfileTags", "RemoveRoleFromInstanceProfile", "TagInstanceProfile", "UntagInstanceProfile",
        ] : "iam:${what}"]
        Resource = [local.instance_profile]
      },
      {
        Sid       = "PassRoles"
        Effect    = "Allow"
        Action    = ["iam:PassRole"]
        Resource  = local.role_arns
        Condition = { StringEquals = { "iam:PassedToService" = ["lambda.amazonaws.com", "ec2.amazonaws.com"] } }
      },
      {
        # Roles that AWS makes for itself, the first time that an account has a database.
        Sid      = "RolesOfAWS"
        Effect   = "Allow"
        Action   = ["iam:CreateServiceLinkedRole"]
        Resource = ["arn:aws:iam::${local.account_id}:role/aws-service-role/rds.amazonaws.com/*"]
      },
      {
        # Nothing above allows it. It is said once more, should somebody widen what is above.
        Sid    = "NeverItself"
        Effect = "Deny"
        Action = ["iam:*"]
        Resource = [
          "arn:aws:iam::${local.account_id}:role/${var.app_name}-github-*",
          "arn:aws:iam::${local.account_id}:policy/${var.app_name}-*",
          "arn:aws:iam::${local.account_id}:oidc-provider/*",
        ]
      },
    ]
  }
}
