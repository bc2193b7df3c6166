"""Who may do what, and who may not: each call that the code makes, and its neighbours.

A new call in the code fails test_circle.py until its right is in ALLOWED, then test_iam.py until Terraform gives it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from memories.tests.aws import REGION
from memories.tests.deployed.account import Right
from memories.tests.deployed.deployment import ACCOUNT, APP, STATE_BUCKET


def arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"


def rights(resource: str, *actions: str) -> list[Right]:
    return [Right(action, resource) for action in actions]


BUCKET = f"arn:aws:s3:::{APP}-audio-{ACCOUNT}-{REGION}"
AUDIO = f"{BUCKET}/audio/2026/11/24/note.m4a"
QUEUE, DEAD = arn("sqs", APP), arn("sqs", f"{APP}-dead")
PARAMETER = arn("ssm", f"parameter/{APP}")
SECRETS = [f"{PARAMETER}/secrets/{name}" for name in ("DJANGO_SECRET_KEY", "DATABASE_URL", "OPENAI_API_KEY")]
IMAGES = arn("ecr", f"repository/{APP}")
ROLE = f"arn:aws:iam::{ACCOUNT}:role/{APP}"
BOUNDARY = f"arn:aws:iam::{ACCOUNT}:policy/{APP}-boundary"
FUNCTION = arn("lambda", f"function:{APP}")
STATE = f"arn:aws:s3:::{STATE_BUCKET}"
OTHER_QUEUE, OTHER_BUCKET = arn("sqs", "payroll"), "arn:aws:s3:::payroll"


def streams(group: str) -> str:
    return arn("logs", f"log-group:{group}:log-stream:one")


# --- what the code calls ---------------------------------------------------------------------------------------------

READ_SECRETS = [
    *[Right("ssm:GetParameters", secret) for secret in SECRETS],
    *rights(arn("kms", "key/of-parameters"), "kms:Decrypt"),  # by Systems Manager, for who asks
]
# By Lambda itself, with the role of the function.
BE_IN_VPC = [
    *rights("*", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"),
    *rights(arn("ec2", "network-interface/eni-1"), "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
    *rights(arn("ec2", "subnet/subnet-1"), "ec2:CreateNetworkInterface"),
]
WRITE_LOGS = ("logs:CreateLogStream", "logs:PutLogEvents")
# PrivateS3Storage and uploads/s3.py: PutObject also begins and completes an upload in parts, GetObject is HEAD too.
API = [
    *READ_SECRETS,
    *rights(AUDIO, "s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
    *rights(AUDIO, "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
    *rights(BUCKET, "s3:ListBucket"),
    *rights(QUEUE, "sqs:SendMessage"),
]
ALLOWED: dict[str, list[Right]] = {
    "worker": [
        *READ_SECRETS,
        *rights(AUDIO, "s3:GetObject"),
        *rights(BUCKET, "s3:ListBucket"),  # else a missing object is a 403
        *rights(QUEUE, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),  # the trigger's
        *rights(QUEUE, "sqs:SendMessage"),
        *rights(streams(f"/aws/lambda/{APP}-worker"), *WRITE_LOGS),
        *BE_IN_VPC,
    ],
    "clock": [
        *READ_SECRETS,
        *rights(AUDIO, "s3:GetObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"),
        *rights(BUCKET, "s3:ListBucket", "s3:ListBucketMultipartUploads"),
        *rights(QUEUE, "sqs:SendMessage"),
        *rights(DEAD, "sqs:ReceiveMessage", "sqs:DeleteMessage"),
        *rights(streams(f"/aws/lambda/{APP}-clock"), *WRITE_LOGS),
        *BE_IN_VPC,
    ],
    "api": [*API, *rights(streams(f"/aws/lambda/{APP}-api"), *WRITE_LOGS), *BE_IN_VPC],
    "host": [
        *API,
        # deploy/host/: the image, what to run it with, logs by Docker, how full the disk is, Systems Manager's agent
        *rights("*", "ecr:GetAuthorizationToken"),
        *rights(IMAGES, "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
        *rights(f"{PARAMETER}/api/environment", "ssm:GetParameter"),
        *rights(f"{PARAMETER}/release/image_tag", "ssm:GetParameter"),
        *rights(streams(f"/{APP}/host"), *WRITE_LOGS),
        *rights("*", "cloudwatch:PutMetricData", "ssm:UpdateInstanceInformation"),
        *rights("*", "ssmmessages:OpenControlChannel", "ec2messages:GetMessages"),
    ],
    # GitHub's two. What Terraform calls as the second one is recorded: test_removal.py
    "github-build": [
        *rights("*", "ecr:GetAuthorizationToken"),
        *rights(IMAGES, "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
        *rights(IMAGES, "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload", "ecr:PutImage"),
        *rights(IMAGES, "ecr:DescribeImages", "ecr:DescribeImageScanFindings"),
    ],
    "github-deploy": [
        *rights(f"{STATE}/prod/probe", "s3:GetObject", "s3:PutObject"),  # beside the state, which is still needed
        *rights(f"{STATE}/prod/probe.tflock", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
        # script/deploy-release
        *rights(IMAGES, "ecr:DescribeImages"),
        *[
            right
            for function in ("worker", "clock", "api")
            for right in (
                *rights(f"{FUNCTION}-{function}", "lambda:GetFunctionConfiguration", "lambda:UpdateFunctionCode"),
                *rights(f"{FUNCTION}-{function}", "lambda:PublishVersion", "lambda:GetAlias", "lambda:UpdateAlias"),
                *rights(f"{FUNCTION}-{function}", "lambda:ListAliases", "lambda:ListVersionsByFunction"),
                *rights(f"{FUNCTION}-{function}:3", "lambda:DeleteFunction"),
            )
        ],
        *rights(f"{FUNCTION}-clock:3", "lambda:InvokeFunction"),
        *rights(f"{FUNCTION}-api", "lambda:AddPermission"),
        *rights(arn("ssm", f"document/{APP}-roll"), "ssm:SendCommand"),
        *rights(arn("ec2", "instance/i-1"), "ssm:SendCommand"),
        *rights("*", "ssm:GetCommandInvocation"),
        *rights(f"{PARAMETER}/release/image_tag", "ssm:GetParameter", "ssm:PutParameter"),
    ],
}

# readyz asks how long the queue is, and takes the refusal for a sign of life (queues/sqs.py: reach).
ASKED_IN_VAIN = {"api": rights(QUEUE, "sqs:GetQueueAttributes"), "host": rights(QUEUE, "sqs:GetQueueAttributes")}

# --- their neighbours ------------------------------------------------------------------------------------------------

ELSEWHERE = [
    *rights(f"{OTHER_BUCKET}/audio/note.m4a", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
    *rights(OTHER_BUCKET, "s3:ListBucket", "s3:DeleteBucket", "s3:PutBucketPolicy"),
    *rights(OTHER_QUEUE, "sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:DeleteQueue"),
    *rights(arn("ssm", "parameter/payroll/secrets/DATABASE_URL"), "ssm:GetParameters", "ssm:GetParameter"),
    *rights(arn("lambda", "function:payroll"), "lambda:UpdateFunctionCode", "lambda:InvokeFunction"),
    *rights(arn("rds", "db:payroll"), "rds:ModifyDBInstance", "rds:DeleteDBInstance"),
    *rights(arn("ecr", "repository/payroll"), "ecr:PutImage", "ecr:BatchGetImage"),
    *rights(f"arn:aws:iam::{ACCOUNT}:role/payroll", "sts:AssumeRole", "iam:PassRole", "iam:PutRolePolicy"),
    *rights("*", "iam:CreateUser", "iam:CreateAccessKey", "iam:ListRoles", "iam:CreatePolicy"),
    *rights(f"arn:aws:kms:{REGION}:999999999999:key/theirs", "kms:Decrypt"),
    *rights(arn("kms", "key/of-parameters"), "kms:Encrypt", "kms:CreateGrant", "kms:ScheduleKeyDeletion"),
    *rights("*", "secretsmanager:GetSecretValue", "ssm:StartSession"),
]
NOBODY = [
    *ELSEWHERE,
    *rights(f"{BUCKET}/backup/all.sql", "s3:GetObject", "s3:PutObject", "s3:DeleteObject"),
    *rights(f"{STATE}/prod/terraform.tfstate", "s3:GetObject", "s3:PutObject"),
    *rights(BUCKET, "s3:DeleteBucket", "s3:PutBucketPolicy", "s3:GetBucketPolicy", "s3:PutLifecycleConfiguration"),
    *rights(QUEUE, "sqs:PurgeQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes", "sqs:ChangeMessageVisibility"),
    *rights(DEAD, "sqs:SendMessage", "sqs:PurgeQueue", "sqs:DeleteQueue", "sqs:SetQueueAttributes"),
    *rights(f"{PARAMETER}/secrets/ANOTHER", "ssm:GetParameters", "ssm:GetParameter"),
    *rights(f"{PARAMETER}/secrets", "ssm:GetParametersByPath"),
    *rights(SECRETS[0], "ssm:PutParameter", "ssm:DeleteParameter"),
    *rights(f"{PARAMETER}/release/image_tag", "ssm:PutParameter"),
    *rights("*", "ssm:DescribeParameters", "ssm:SendCommand"),
    *rights(f"{ROLE}-worker", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:DeleteRolePermissionsBoundary"),
    *rights(f"{ROLE}-github-deploy", "sts:AssumeRole", "iam:PassRole"),
    *rights(f"{FUNCTION}-worker", "lambda:UpdateFunctionCode", "lambda:InvokeFunction", "lambda:GetFunction"),
    *rights(IMAGES, "ecr:BatchDeleteImage", "ecr:DeleteRepository"),
    *rights(streams("/aws/lambda/payroll"), *WRITE_LOGS),
    *rights(streams(f"/aws/lambda/{APP}-worker"), "logs:GetLogEvents", "logs:DeleteLogStream"),
    *rights(arn("rds", f"db:{APP}"), "rds:ModifyDBInstance", "rds:DeleteDBInstance"),
    *rights("*", "ec2:RunInstances", "iam:CreateRole"),
]
REFUSED: dict[str, list[Right]] = {
    "worker": [
        *NOBODY,
        *rights(AUDIO, "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"),
        *rights(BUCKET, "s3:ListBucketMultipartUploads"),
        *rights(DEAD, "sqs:ReceiveMessage", "sqs:DeleteMessage"),
        *rights(streams(f"/aws/lambda/{APP}-clock"), *WRITE_LOGS),
    ],
    "clock": [
        *NOBODY,
        *rights(AUDIO, "s3:PutObject"),
        *rights(QUEUE, "sqs:ReceiveMessage", "sqs:DeleteMessage"),
        *rights(f"{PARAMETER}/api/environment", "ssm:GetParameter"),
    ],
    "api": [
        *NOBODY,
        *rights(QUEUE, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        *rights(DEAD, "sqs:ReceiveMessage", "sqs:DeleteMessage"),
        *rights(BUCKET, "s3:ListBucketMultipartUploads"),
        *rights(IMAGES, "ecr:BatchGetImage"),
    ],
    "host": [
        *NOBODY,
        *rights(QUEUE, "sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
        *rights(DEAD, "sqs:ReceiveMessage", "sqs:DeleteMessage"),
        *rights(BUCKET, "s3:ListBucketMultipartUploads"),
        *rights(arn("ec2", "network-interface/eni-1"), "ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"),
    ],
    "github-build": [
        *NOBODY,
        *rights(IMAGES, "ecr:SetRepositoryPolicy", "ecr:PutLifecyclePolicy"),
        *rights(AUDIO, "s3:GetObject", "s3:PutObject"),
        *rights(QUEUE, "sqs:SendMessage", "sqs:ReceiveMessage"),
    ],
    "github-deploy": [
        *ELSEWHERE,
        *rights(IMAGES, "ecr:PutImage", "ecr:CompleteLayerUpload"),  # what is deployed comes from the build
        *rights(f"{STATE}/prod/terraform.tfstate", "s3:DeleteObject"),
        *rights(f"{STATE}/else", "s3:GetObject", "s3:PutObject"),
        *rights(STATE, "s3:DeleteBucket", "s3:PutBucketPolicy"),
        *rights(AUDIO, "s3:GetObject", "s3:PutObject"),
        *rights(QUEUE, "sqs:ReceiveMessage", "sqs:SendMessage", "sqs:DeleteMessage", "sqs:PurgeQueue"),
        *rights(DEAD, "sqs:ReceiveMessage", "sqs:SendMessage", "sqs:DeleteMessage", "sqs:PurgeQueue"),
        *rights(f"{FUNCTION}-worker", "lambda:InvokeFunction"),
        *rights(f"{FUNCTION}-api:live", "lambda:InvokeFunction", "lambda:InvokeFunctionUrl"),
        *rights(f"arn:aws:ssm:{REGION}::document/AWS-RunShellScript", "ssm:SendCommand"),
        *rights(arn("ssm", "document/payroll"), "ssm:SendCommand"),
        *rights(streams(f"/aws/lambda/{APP}-worker"), "logs:GetLogEvents", "logs:FilterLogEvents"),
        # neither itself, nor what bounds the roles that it makes, nor who may take them
        *rights(f"{ROLE}-github-deploy", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy"),
        *rights(f"{ROLE}-github-deploy", "iam:DeleteRolePolicy", "iam:CreateRole", "iam:PassRole", "sts:AssumeRole"),
        *rights(f"{ROLE}-github-build", "iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy"),
        *rights(BOUNDARY, "iam:CreatePolicyVersion", "iam:SetDefaultPolicyVersion", "iam:DeletePolicy"),
        *rights(f"{BOUNDARY.removesuffix('boundary')}github-deploy-roles", "iam:CreatePolicyVersion"),
        *rights(f"{ROLE}-worker", "iam:AttachRolePolicy", "iam:DeleteRolePermissionsBoundary"),
        *rights(f"{ROLE}-worker", "iam:UpdateAssumeRolePolicy", "sts:AssumeRole"),
        *rights(f"{ROLE}-another", "iam:CreateRole", "iam:PassRole"),
        *rights(
            f"arn:aws:iam::{ACCOUNT}:oidc-provider/token.actions.githubusercontent.com",
            "iam:CreateOpenIDConnectProvider",
            "iam:UpdateOpenIDConnectProviderThumbprint",
            "iam:DeleteOpenIDConnectProvider",
        ),
    ],
}

# --- the same over the wire ------------------------------------------------------------------------------------------

Call = tuple[str, str, dict[str, Any]]  # service, operation, arguments


def in_bucket(resource: str) -> dict[str, str]:
    bucket, _, key = resource.rpartition(":")[2].partition("/")
    return {"Bucket": bucket, "Key": key} if key else {"Bucket": bucket}


def upload_in(resource: str) -> dict[str, str]:
    return {**in_bucket(resource), "UploadId": "none"}


def queue(resource: str) -> dict[str, str]:
    *_, account, name = resource.split(":")
    return {"QueueUrl": f"https://sqs.{REGION}.amazonaws.com/{account}/{name}"}


def parameter(resource: str) -> str:
    return resource.partition(":parameter")[2]


def role(resource: str) -> dict[str, str]:
    return {"RoleName": resource.rpartition("/")[2]}


# The actions whose resource moto (with moto_account.py) checks, by a call that takes them and harms nothing if let in.
ON_THE_WIRE: dict[str, Callable[[str], Call]] = {
    "s3:GetObject": lambda it: ("s3", "get_object", in_bucket(it)),
    "s3:PutObject": lambda it: ("s3", "put_object", in_bucket(it)),
    "s3:DeleteObject": lambda it: ("s3", "delete_object", in_bucket(it)),
    "s3:ListBucket": lambda it: ("s3", "list_objects_v2", in_bucket(it)),
    "s3:ListBucketMultipartUploads": lambda it: ("s3", "list_multipart_uploads", in_bucket(it)),
    "s3:AbortMultipartUpload": lambda it: ("s3", "abort_multipart_upload", upload_in(it)),
    "s3:ListMultipartUploadParts": lambda it: ("s3", "list_parts", upload_in(it)),
    "s3:GetBucketPolicy": lambda it: ("s3", "get_bucket_policy", in_bucket(it)),
    "s3:DeleteBucket": lambda it: ("s3", "delete_bucket", in_bucket(it)),
    "sqs:SendMessage": lambda it: ("sqs", "send_message", {**queue(it), "MessageBody": "probe"}),
    "sqs:ReceiveMessage": lambda it: ("sqs", "receive_message", {**queue(it), "WaitTimeSeconds": 0}),
    "sqs:DeleteMessage": lambda it: ("sqs", "delete_message", {**queue(it), "ReceiptHandle": "none"}),
    "sqs:GetQueueAttributes": lambda it: ("sqs", "get_queue_attributes", queue(it)),
    "sqs:PurgeQueue": lambda it: ("sqs", "purge_queue", queue(it)),
    "sqs:DeleteQueue": lambda it: ("sqs", "delete_queue", queue(it)),
    "sqs:SetQueueAttributes": lambda it: ("sqs", "set_queue_attributes", {**queue(it), "Attributes": {}}),
    "ssm:GetParameters": lambda it: ("ssm", "get_parameters", {"Names": [parameter(it)], "WithDecryption": True}),
    "ssm:GetParameter": lambda it: ("ssm", "get_parameter", {"Name": parameter(it), "WithDecryption": True}),
    "ssm:PutParameter": lambda it: ("ssm", "put_parameter", {"Name": parameter(it), "Value": "x", "Type": "String"}),
    "ssm:DeleteParameter": lambda it: ("ssm", "delete_parameter", {"Name": parameter(it)}),
    "iam:AttachRolePolicy": lambda it: ("iam", "attach_role_policy", {**role(it), "PolicyArn": BOUNDARY}),
    "iam:DeleteRolePermissionsBoundary": lambda it: ("iam", "delete_role_permissions_boundary", role(it)),
    "iam:ListRoles": lambda it: ("iam", "list_roles", {}),
    "sts:AssumeRole": lambda it: ("sts", "assume_role", {"RoleArn": it, "RoleSessionName": "probe"}),
}
