"""The functions on Lambda: new code, a version of it, and the alias `live` that says which version serves."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError, WaiterError

from deploy.console import DeployError, end_of, say

ALIAS = "live"
KEPT = 5  # versions: AWS bounds the code that an account stores
MARK = re.compile(r"release ([0-9a-f]+), before it version (\d+)")
NO_WAY_OUT = re.compile(r"[Cc]onnect timeout|Could not connect to the endpoint")
SOMEBODY_ELSE = "somebody else seems to deploy: let that end, then run this again."


@dataclass(frozen=True)
class Live:
    """What serves. `revision` guards a move: AWS refuses it when somebody else has moved in between."""

    version: str  # that the alias points at
    revision: str
    before: str  # that was live before a release which did not come to its end; otherwise the same version


def live(client: Any, function: str, released: str) -> Live:
    """`released` is the last commit that was released with success.

    A release that was killed leaves its mark with the alias that it moved, in the same call: so what was live before
    is known however often a release is killed.
    """
    try:
        alias = client.get_alias(FunctionName=function, Name=ALIAS)
    except ClientError as error:
        if error.response["Error"]["Code"] == "ResourceNotFoundException":
            raise DeployError(
                f"There is no function {function} with an alias {ALIAS}.", "script/deploy-apply."
            ) from None
        raise
    version = alias["FunctionVersion"]
    mark = MARK.fullmatch(alias.get("Description", ""))
    unfinished = mark is not None and mark[1] != released
    return Live(version, alias["RevisionId"], mark[2] if mark and unfinished else version)


def code_of(client: Any, function: str, digest: str) -> str:
    """AWS's sum over the newest code, if that is this image; "" if it is another."""
    found = client.get_function(FunctionName=function)
    return str(found["Configuration"]["CodeSha256"]) if found["Code"]["ResolvedImageUri"].endswith(digest) else ""


def publish(client: Any, function: str, image: str, digest: str) -> str:
    """The version that has this image and the function's settings. Nothing calls it yet.

    AWS makes no new version where neither code nor settings changed since the last one.
    """
    _wait(client, "function_updated_v2", FunctionName=function)  # Terraform may just have changed its settings
    if not code_of(client, function, digest):
        client.update_function_code(FunctionName=function, ImageUri=image)
        _wait(client, "function_updated_v2", FunctionName=function)
    version = _publish(client, function, code_of(client, function, digest))
    _wait(client, "published_version_active", FunctionName=function, Qualifier=version)
    return version


def _publish(client: Any, function: str, code: str) -> str:
    """A version of this code. Another one, that somebody else has put there since, is not published."""
    changed = DeployError(f"The code of {function} changed under our hands.", SOMEBODY_ELSE)
    if not code:
        raise changed
    try:
        return str(client.publish_version(FunctionName=function, CodeSha256=code)["Version"])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("InvalidParameterValueException", "PreconditionFailedException"):
            raise changed from error
        raise


def _wait(client: Any, waiter: str, **function: str) -> None:
    try:
        client.get_waiter(waiter).wait(**function, WaiterConfig={"Delay": 1, "MaxAttempts": 300})
    except WaiterError as error:
        state = error.last_response.get("Configuration", error.last_response)
        reason = state.get("LastUpdateStatusReason") or state.get("StateReason") or str(error)
        raise DeployError(
            f"{function['FunctionName']} did not take the image: {reason}", "mend that, run it again."
        ) from None


def move(client: Any, function: str, was: Live, version: str, tag: str) -> None:
    """Point the alias at this version, and say in the same call what it pointed at before."""
    if version == was.version:
        return
    point(client, function, version, f"release {tag}, before it version {was.before}", was.revision)


def point(client: Any, function: str, version: str, description: str, revision: str) -> None:
    try:
        client.update_alias(
            FunctionName=function, Name=ALIAS, FunctionVersion=version, Description=description, RevisionId=revision
        )
    except ClientError as error:
        if error.response["Error"]["Code"] == "PreconditionFailedException":
            raise DeployError(f"{function}:{ALIAS} was moved by somebody else.", SOMEBODY_ELSE) from error
        raise


def migrate(client: Any, function: str, version: str, patience: float) -> list[str]:
    """Run the migrations with the code of this version: the names of those that it applied.

    Tried again for so many seconds while the function finds no way out of its network: after a first
    `terraform apply` the machine that is its NAT is just starting.
    """
    until = time.monotonic() + patience
    while True:
        answer = client.invoke(FunctionName=function, Qualifier=version, Payload=json.dumps({"manage": "migrate"}))
        payload = json.loads(answer["Payload"].read() or b"{}")
        if "FunctionError" not in answer:
            return [str(name) for name in payload["applied"]]
        said = f"{payload.get('errorType', 'error')}: {payload.get('errorMessage', '')}"
        if not NO_WAY_OUT.search(said) or time.monotonic() >= until:
            say(end_of("".join(payload.get("stackTrace", []))))
            raise DeployError(
                f"The migration failed: {said}",
                "nothing was moved, so the version before goes on serving. What came before the failing migration is "
                "applied, the failing one is undone by PostgreSQL; mend it in a new commit, and release that.",
            )
        say("    The function finds no way out of its network yet; trying again.")
        time.sleep(10)


def let_url_invoke(client: Any, function: str) -> None:
    """The second permission that new Function URLs need, which Terraform's provider 5.x cannot say (6.29 can)."""
    try:
        client.add_permission(
            FunctionName=function,
            Qualifier=ALIAS,
            StatementId="FunctionUrlInvokes",
            Action="lambda:InvokeFunction",
            Principal="*",
            InvokedViaFunctionUrl=True,
        )
    except ClientError as error:
        if error.response["Error"]["Code"] != "ResourceConflictException":  # it is there
            raise


def prune(client: Any, function: str, keep: Sequence[str]) -> list[str]:
    """Delete all versions but the newest, those that an alias points at, and these: the ones that it deleted."""
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    versions = [v["Version"] for page in pages for v in page["Versions"] if v["Version"] != "$LATEST"]
    aliases = [
        version
        for page in client.get_paginator("list_aliases").paginate(FunctionName=function)
        for alias in page["Aliases"]
        for version in (
            alias["FunctionVersion"],
            *alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}),
        )
    ]
    newest = sorted(versions, key=int)[-KEPT:]
    old = [version for version in versions if version not in {*newest, *aliases, *keep}]
    for version in old:
        client.delete_function(FunctionName=function, Qualifier=version)
    return old
