"""Each role may do what its code does, and nothing beside it: by its documents, and over the wire with IAM on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from memories.tests.aws import REGION
from memories.tests.deployed.account import Account, Credentials, Right
from memories.tests.deployed.deployment import ACCOUNT, APP, REPOSITORY, Deployment
from memories.tests.deployed.policies import Principal, principal
from memories.tests.deployed.rights import ALLOWED, BOUNDARY, ON_THE_WIRE, REFUSED, ROLE, arn

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(600)]

ROLES = list(ALLOWED)
DENIED = {"AccessDenied", "AccessDeniedException", "403"}  # a HEAD has no body to say it in


@pytest.fixture(scope="module")
def principals(deployment: Deployment) -> dict[str, Principal]:
    return {role: principal(deployment.account, deployment.role(role)) for role in ROLES}


@pytest.mark.parametrize("role", ROLES)
def test_what_a_role_does_is_allowed_to_it(principals: Mapping[str, Principal], role: str) -> None:
    assert [right for right in ALLOWED[role] if not principals[role].may(right)] == []


@pytest.mark.parametrize("role", ROLES)
def test_what_is_beside_that_is_not(principals: Mapping[str, Principal], role: str) -> None:
    assert [right for right in REFUSED[role] if principals[role].may(right)] == []


@pytest.fixture(scope="module")
def guarded(deployment: Deployment) -> Iterator[dict[str, Credentials]]:
    """Sessions of all roles in an account where IAM is on, and where their neighbours' things exist too."""
    account = deployment.account
    account.client("s3").create_bucket(Bucket="payroll")
    url = account.client("sqs").create_queue(QueueName="payroll")["QueueUrl"]
    sessions = {role: account.assume(deployment.role(role)) for role in ROLES}
    with account.guarded():
        yield sessions
    account.client("s3").delete_bucket(Bucket="payroll")
    account.client("sqs").delete_queue(QueueUrl=url)


@pytest.mark.parametrize("role", ROLES)
def test_the_account_lets_a_role_in(deployment: Deployment, guarded: dict[str, Credentials], role: str) -> None:
    answers = ask(deployment.account, guarded[role], ALLOWED[role])
    assert {right for right, code in answers.items() if code in DENIED} == set()


@pytest.mark.parametrize("role", ROLES)
def test_the_account_keeps_a_role_out(deployment: Deployment, guarded: dict[str, Credentials], role: str) -> None:
    answers = ask(deployment.account, guarded[role], REFUSED[role])
    assert {right: code for right, code in answers.items() if code not in DENIED} == {}


def ask(account: Account, session: Credentials, rights: list[Right]) -> dict[Right, str]:
    """The error that each right's call answers; empty: none."""
    client = cache(lambda service: session.client(account, service))
    answers = {}
    for right in rights:
        if right.action in ON_THE_WIRE:
            service, operation, arguments = ON_THE_WIRE[right.action](right.resource)
            answers[right] = outcome(client(service), operation, arguments)
    return answers


def outcome(client: Any, operation: str, arguments: dict[str, Any]) -> str:
    try:
        getattr(client, operation)(**arguments)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


# --- conditions, which moto does not tell: asserted of the statements ------------------------------------------------

TRUSTED = {"worker": "lambda", "clock": "lambda", "api": "lambda", "host": "ec2"}
SUBJECTS = {
    "github-build": f"repo:{REPOSITORY}:ref:refs/heads/main",
    "github-deploy": f"repo:{REPOSITORY}:environment:production",
}


@pytest.mark.parametrize("role", list(TRUSTED))
def test_only_its_own_service_takes_a_role(principals: Mapping[str, Principal], role: str) -> None:
    service = {"Service": f"{TRUSTED[role]}.amazonaws.com"}
    assert principals[role].trust == [{"Effect": "Allow", "Principal": service, "Action": "sts:AssumeRole"}]


@pytest.mark.parametrize("role", list(SUBJECTS))
def test_only_one_kind_of_github_job_takes_a_role(principals: Mapping[str, Principal], role: str) -> None:
    [trust] = principals[role].trust
    github = "token.actions.githubusercontent.com"
    assert trust == {
        "Effect": "Allow",
        "Principal": {"Federated": f"arn:aws:iam::{ACCOUNT}:oidc-provider/{github}"},
        "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": {"StringEquals": {f"{github}:aud": "sts.amazonaws.com", f"{github}:sub": SUBJECTS[role]}},
    }


@pytest.mark.parametrize("role", list(TRUSTED))
def test_a_role_that_github_makes_has_a_boundary(principals: Mapping[str, Principal], role: str) -> None:
    assert principals[role].boundary is not None


@pytest.mark.parametrize(
    "action", ["iam:CreateRole", "iam:PutRolePolicy", "iam:DeleteRolePolicy", "iam:PutRolePermissionsBoundary"]
)
def test_github_makes_and_changes_only_roles_within_the_boundary(
    principals: Mapping[str, Principal], action: str
) -> None:
    conditions = [statement.get("Condition") for statement in principals["github-deploy"].granting(action)]
    assert conditions == [{"StringEquals": {"iam:PermissionsBoundary": BOUNDARY}}]


def test_github_passes_the_four_roles_to_their_services_and_nobody_else(principals: Mapping[str, Principal]) -> None:
    [statement] = principals["github-deploy"].granting("iam:PassRole")
    assert sorted(statement["Resource"]) == sorted(f"{ROLE}-{role}" for role in TRUSTED)
    services = {f"{service}.amazonaws.com" for service in TRUSTED.values()}
    assert set(statement["Condition"]["StringEquals"]["iam:PassedToService"]) == services


def test_github_sends_commands_to_our_machine_only(principals: Mapping[str, Principal]) -> None:
    by_document, on_machine = principals["github-deploy"].granting("ssm:SendCommand")
    assert by_document["Resource"] == [arn("ssm", f"document/{APP}-roll")]
    assert on_machine["Condition"] == {"StringEquals": {"ssm:resourceTag/app": APP}}


@pytest.mark.parametrize(
    "action", ["ec2:TerminateInstances", "ec2:DeleteSubnet", "ec2:CreateRoute", "ec2:ReleaseAddress", "ec2:DeleteTags"]
)
def test_github_changes_only_what_carries_our_tag(principals: Mapping[str, Principal], action: str) -> None:
    conditions = [statement.get("Condition") for statement in principals["github-deploy"].granting(action)]
    assert conditions == [{"StringEquals": {"aws:ResourceTag/app": APP}}]


@pytest.mark.parametrize("role", ["worker", "clock", "api"])
def test_the_code_of_a_function_cannot_touch_the_network(principals: Mapping[str, Principal], role: str) -> None:
    """Lambda makes the interfaces with the function's role; the function's code has the same role."""
    granted = {right.action for right in ALLOWED[role] if right.action.startswith("ec2:")}
    [denied] = [
        statement
        for statement in principals[role].statements
        if statement["Effect"] == "Deny" and granted <= set(statement["Action"])
    ]
    [(operator, keys)] = denied["Condition"].items()
    assert (operator, denied["Resource"]) == ("ArnEquals", ["*"])
    assert re.fullmatch(rf"arn:aws:lambda:.*:function:memories-{role}", keys["lambda:SourceFunctionArn"])


@pytest.mark.parametrize("role", list(TRUSTED))
def test_keys_open_what_systems_manager_hands_out_and_nothing_else(
    principals: Mapping[str, Principal], role: str
) -> None:
    statements = [*principals[role].granting("kms:Decrypt")]
    statements += [statement for statement in principals[role].boundary or () if "kms:Decrypt" in statement["Action"]]
    condition = {"StringEquals": {"kms:ViaService": f"ssm.{REGION}.amazonaws.com"}}
    assert [statement["Condition"] for statement in statements] == [condition, condition]


def test_the_machine_measures_itself_only(principals: Mapping[str, Principal]) -> None:
    [statement] = principals["host"].granting("cloudwatch:PutMetricData")
    assert statement["Condition"] == {"StringEquals": {"cloudwatch:namespace": "memories"}}


# --- no star where AWS takes a name ----------------------------------------------------------------------------------

NAMELESS = {  # https://docs.aws.amazon.com/service-authorization/: these actions take no resource
    "cloudwatch:PutMetricData",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ecr:GetAuthorizationToken",
    "lambda:GetEventSourceMapping",
    "lambda:ListEventSourceMappings",
    "logs:DescribeLogGroups",
    "rds:DescribeDBEngineVersions",
    "rds:DescribeOrderableDBInstanceOptions",
    "ssm:DescribeInstanceInformation",
    "ssm:DescribeParameters",
    "ssm:GetCommandInvocation",
    "ssm:ListCommandInvocations",
    "ssm:UpdateInstanceInformation",
}
NAMELESS_FAMILIES = ("ec2:Describe", "ec2messages:", "ssmmessages:")


@pytest.mark.parametrize("role", ROLES)
def test_a_star_stands_only_where_aws_takes_no_name(principals: Mapping[str, Principal], role: str) -> None:
    allowed = [statement for statement in principals[role].statements if statement["Effect"] == "Allow"]
    assert not any("*" in action for statement in allowed for action in statement["Action"])
    starred = {
        action
        for statement in allowed
        if "*" in statement["Resource"] and "ArnLike" not in statement.get("Condition", {})
        for action in statement["Action"]
    }
    assert {action for action in starred if not action.startswith(NAMELESS_FAMILIES)} - NAMELESS == set()
