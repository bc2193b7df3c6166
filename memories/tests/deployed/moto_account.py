"""moto's server, with what it lacks for a proof of rights: run it as `python -m memories.tests.deployed.moto_account`.

It asks for the right to "*" where it does not look for the resource, which no narrow policy gives: here it knows which
parameters are meant. It takes some operations for actions that IAM calls by another name, refuses in XML where clients
wait for JSON, and cannot check addresses that are signed in advance. So it also writes down, a line of JSON each, who
took which right: what it did not enforce can be asked of the policies later.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import AccessDeniedError, JsonRESTError
from moto.ec2.models.instances import Instance
from moto.iam.access_control import IAMPolicyStatement, PermissionResult
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.s3.models import FakeDeleteMarker

# The rights that operations take, where they are not called the same: https://docs.aws.amazon.com/service-authorization/
ACTIONS = {"HeadBucket": "ListBucket", "SendMessageBatch": "SendMessage"}
PREFIXES = {"monitoring": "cloudwatch"}
OF_PARAMETERS = {"GetParameter", "GetParameters", "PutParameter", "DeleteParameter", "DeleteParameters"}
OF_PROFILES = {"AddRoleToInstanceProfile", "RemoveRoleFromInstanceProfile"}  # not of the role
XML = {"ec2", "iam", "s3", "sts"}

enforce = ActionAuthenticatorMixin._authenticate_and_authorize_action


def resources(request: Any, action: str, known: str) -> Iterator[str]:
    if action in OF_PARAMETERS:
        for name in request._get_param("Names") or [request._get_param("Name")]:
            account = "" if name.startswith("/aws/service/") else request.current_account  # AWS's own have none
            yield f"arn:aws:ssm:{request.region}:{account}:parameter/{name.removeprefix('/')}"
    elif action in OF_PROFILES:
        yield f"arn:aws:iam::{request.current_account}:instance-profile/{request._get_param('InstanceProfileName')}"
    elif action == "DeleteObject" and "/" not in known:
        yield f"{known}/*"  # several at once, of which it knows the bucket only
    else:
        yield known


def signature(request: Any) -> tuple[str, str]:
    """Of a call, or of an address that was signed in advance: the access key, and IAM's name of the service."""
    scope: str = request.headers.get("Authorization", "").partition("Credential=")[2].partition(",")[0]
    key, _, _, service, _ = (scope or request.querystring["X-Amz-Credential"][0]).split("/")
    return key, PREFIXES.get(service, service)


def guard(log: Path) -> None:
    """Put a check of ours, which writes it down, before each of moto's."""
    calls = log.open("a", encoding="utf-8", buffering=1)

    def check(request: Any, request_class: Any, resource: str = "*") -> None:
        key, service = signature(request)
        action = ACTIONS.get(request._get_action(), request._get_action())
        for each in resources(request, action, resource):
            calls.write(json.dumps({"key": key, "action": f"{service}:{action}", "resource": each}) + "\n")
            if "Authorization" not in request.headers:
                continue
            try:
                enforce(request, lambda **given: request_class(**given | {"action": action}), each)  # type: ignore[arg-type]
            except AccessDeniedError as error:
                raise error if service in XML else JsonRESTError("AccessDeniedException", error.message) from error

    ActionAuthenticatorMixin._authenticate_and_authorize_action = check  # type: ignore[assignment, method-assign]


def take_no_condition_as_met() -> None:
    """moto lets every Deny with a condition apply, first of all that of buckets against whoever comes without TLS."""
    ask = IAMPolicyStatement.is_action_permitted

    def ask_of_what_applies(statement: IAMPolicyStatement, *arguments: Any, **named: Any) -> PermissionResult:
        if statement._statement["Effect"] == "Deny" and "Condition" in statement._statement:
            return PermissionResult.NEUTRAL
        return ask(statement, *arguments, **named)

    IAMPolicyStatement.is_action_permitted = ask_of_what_applies  # type: ignore[assignment, method-assign]


def delete_interfaces() -> None:
    """The interface that came with a machine goes with it, as on AWS."""
    terminate = Instance.terminate

    def terminate_all_of_it(instance: Instance) -> Any:
        for interface in instance.nics.values():
            interface.delete_on_termination = True
        return terminate(instance)

    Instance.terminate = terminate_all_of_it  # type: ignore[assignment, method-assign]


def delete_markers() -> None:
    """Of a bucket whose versioning is suspended, as it is just before a destroy: moto fails where it meets one."""
    FakeDeleteMarker.dispose = lambda marker: None  # type: ignore[attr-defined]


if __name__ == "__main__":
    guard(Path(sys.argv[1]))
    take_no_condition_as_met()
    delete_interfaces()
    delete_markers()
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)  # noqa: T201 (for whoever started it)
    sys.stdin.read()
