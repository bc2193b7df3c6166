"""What a role may do, by the documents that it carries. moto evaluates them: its wire check alone knows no resources of
most services, and never looks at boundaries.

Conditions are the part that moto gets wrong, so they are taken out before: `may` tells what is possible at all. That a
right is bound to a condition is asserted of the statement itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from moto.iam.access_control import IAMPolicy, PermissionResult

from memories.tests.deployed.account import Account, Right

Statement = dict[str, Any]


@dataclass(frozen=True)
class Principal:
    """A role: its statements, those of its boundary, and who may assume it."""

    statements: list[Statement]
    boundary: list[Statement] | None
    trust: list[Statement]

    def may(self, right: Right) -> bool:
        """Where every condition of an Allow holds, and none of a Deny."""
        layers = [self.statements] if self.boundary is None else [self.statements, self.boundary]
        return all(permits(layer, right) for layer in layers)

    def could(self, right: Right) -> bool:
        """The same for a call of which the resource is not known ("*")."""
        return self.may(right) if right.resource != "*" else any(self.granting(right.action))

    def granting(self, action: str) -> Iterator[Statement]:
        """Statements of its own that allow this action to it on some resource."""
        for statement in self.statements:
            if statement["Effect"] == "Allow" and permits([statement | {"Resource": "*"}], Right(action, "*")):
                yield statement


def permits(statements: list[Statement], right: Right) -> bool:
    possible = [
        {name: value for name, value in statement.items() if name != "Condition"}
        for statement in statements
        if statement["Effect"] == "Allow" or "Condition" not in statement
    ]
    policy = IAMPolicy(json.dumps({"Statement": possible}))
    return policy.is_action_permitted(right.action, right.resource) is PermissionResult.PERMITTED


def principal(account: Account, name: str) -> Principal:
    iam = account.client("iam")
    role = iam.get_role(RoleName=name)["Role"]
    documents = [
        iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"]
        for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    attached = iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"]
    documents += [managed(iam, policy["PolicyArn"]) for policy in attached]
    boundary = role.get("PermissionsBoundary")
    return Principal(
        statements=[statement for document in documents for statement in statements_of(document)],
        boundary=statements_of(managed(iam, boundary["PermissionsBoundaryArn"])) if boundary else None,
        trust=statements_of(role["AssumeRolePolicyDocument"]),
    )


def managed(iam: Any, arn: str) -> Any:
    version = iam.get_policy(PolicyArn=arn)["Policy"]["DefaultVersionId"]
    return iam.get_policy_version(PolicyArn=arn, VersionId=version)["PolicyVersion"]["Document"]


def statements_of(document: Any) -> list[Statement]:
    """moto's evaluation gets NotResource wrong: a document of ours has none."""
    statements: list[Statement] = document["Statement"]
    assert not any("NotResource" in statement for statement in statements)
    return statements
