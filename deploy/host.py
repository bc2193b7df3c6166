"""The API's machine: rolled by the one document of Systems Manager that may be run there (host/roll.sh)."""

from __future__ import annotations

import time
from typing import Any

from botocore.exceptions import ClientError

from deploy.console import DeployError, end_of, say

REGISTERS_WITHIN = 300.0  # seconds: a machine that was just made
ENDS_WITHIN = 1800.0  # a roll waits for another one, for the image, for the new container and for the old one
UNDER_WAY = ("Pending", "InProgress", "Delayed", "Cancelling")


def roll(client: Any, instance: str, document: str, tag: str, *, pause: float = 3.0) -> None:
    """Returns when this release serves; DeployError, with the end of what the machine said, when another still does."""
    command = _send(client, instance, document, tag, pause)
    until = time.monotonic() + ENDS_WITHIN
    while (found := _invocation(client, command, instance)) is None or found["Status"] in UNDER_WAY:
        if time.monotonic() >= until:
            raise DeployError(f"The roll (command {command}) does not end.", _look(instance))
        time.sleep(pause)
    output = f"{found.get('StandardOutputContent', '')}\n{found.get('StandardErrorContent', '')}"
    if output.strip():
        say(end_of(output))
    if found["Status"] != "Success":
        details = found.get("StatusDetails") or found["Status"]
        raise DeployError(f"The machine {instance} did not roll to api-{tag}: {details}.", _look(instance))


def _send(client: Any, instance: str, document: str, tag: str, pause: float) -> str:
    until = time.monotonic() + REGISTERS_WITHIN
    while True:
        try:
            sent = client.send_command(
                InstanceIds=[instance], DocumentName=document, Parameters={"ImageTag": [tag]}, TimeoutSeconds=600
            )
            return str(sent["Command"]["CommandId"])
        except ClientError as error:
            if error.response["Error"]["Code"] != "InvalidInstanceId":
                raise
            if time.monotonic() >= until:
                raise DeployError(
                    f"The machine {instance} does not report to Systems Manager.", _look(instance)
                ) from None
            say("    The machine does not report to Systems Manager yet; trying again.")
            time.sleep(pause * 3)


def _invocation(client: Any, command: str, instance: str) -> dict[str, Any] | None:
    try:
        found: dict[str, Any] = client.get_command_invocation(CommandId=command, InstanceId=instance)
        return found
    except ClientError as error:
        if error.response["Error"]["Code"] == "InvocationDoesNotExist":  # not yet
            return None
        raise


def _look(instance: str) -> str:
    return (
        f"is it running, and what does its log say? `aws ec2 get-console-output --latest --instance-id {instance}`, "
        "and the log group …/host."
    )
