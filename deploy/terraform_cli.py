"""Runs Terraform with validated settings, and says what to do about failures that are known."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from deploy import console
from deploy.console import DeployError, Interrupted, client, say

MAIN = Path(__file__).with_name("terraform")
BOOTSTRAP = MAIN / "bootstrap"
PLAN = MAIN / "deploy.tfplan"
LOCK = "-lock-timeout=120s"
SECRETS = ("db_password", "django_secret_key", "openai_api_key")
# They pass the validations of variables.tf: for where Terraform asks for values that it does not send anywhere.
PLACEHOLDERS = dict.fromkeys(SECRETS, "not-a-secret-only-a-word-that-is-long-enough-for-its-validation") | {
    "image_tag": "0000000",
    "alarm_email": "nobody@example.org",
}
# Of what a loss cannot be made good.
PRECIOUS = ("aws_db_instance", "aws_s3_bucket")

# What Terraform and AWS say, and what to do then: the first that is found. Terraform's own text is shown in full.
KNOWN = (
    (
        r"errored\.tfstate",
        "what was made is written in errored.tfstate only: once the bucket can be reached, script/deploy-bootstrap "
        "pushes its own; for the rest: terraform -chdir=deploy/terraform state push errored.tfstate.",
    ),
    (
        r"Error acquiring the state lock",
        "somebody else plans or applies (Who, above): let that end. If it was killed: "
        "terraform -chdir=deploy/terraform force-unlock ID, with the ID above (of the bootstrap: "
        "aws s3 rm s3://BUCKET/bootstrap/terraform.tfstate.tflock).",
    ),
    (
        r"Error releasing the state lock",
        "the state is saved, and its lock is still there: terraform -chdir=deploy/terraform force-unlock ID, with the "
        "ID above (of the bootstrap: aws s3 rm s3://BUCKET/bootstrap/terraform.tfstate.tflock). Then run it again.",
    ),
    (r"NoSuchBucket|bucket .* does not exist", "the bucket of the state is missing: script/deploy-bootstrap makes it."),
    (r"BucketAlreadyExists", "the name of a bucket is taken by somebody else in the world: choose another APP_NAME."),
    (r"[Ss]aved plan is stale", "something was applied after the plan was made: script/deploy-plan, then again."),
    (r"No valid credential sources|NoCredentialProviders", "sign in to AWS (`aws sso login`, AWS_PROFILE)."),
    (r"ExpiredToken|InvalidClientTokenId", "the credentials have expired: sign in to AWS again."),
    (
        r"No value for required variable|Invalid value for (input )?variable",
        "set TF_VAR_… for the variable that is named above; a list is written as '[\"https://…\"]'.",
    ),
    (r"deletion protection|DeletionProtection", "set TF_VAR_db_deletion_protection=false, plan and apply, then again."),
    (r"BucketNotEmpty", "recordings came in meanwhile: run it again with --delete-audio."),
    (
        r"Source image .* does not exist",
        "push the images of this commit first (the workflow's build, or script/images push).",
    ),
    (
        r"AccessDenied|UnauthorizedOperation|not authorized|StatusCode: 403|Forbidden",
        "these credentials lack that right: script/deploy-bootstrap renews the roles.",
    ),
)
AGAIN = "mend what is named above and run it again: it goes on from where it stopped."


@dataclass(frozen=True)
class State:
    """Where Terraform keeps what it knows."""

    bucket: str
    region: str


@dataclass(frozen=True)
class Terraform:
    """In one folder. With `dry_run` it says what it would call."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)
    dry_run: bool = False

    def call(self, *arguments: str, quiet: bool = False) -> None:
        command = ["terraform", f"-chdir={self.folder}", *arguments]
        if self.dry_run:
            say(f"Would run: {' '.join(command)}")
            return
        errors = self._run(command, quiet)
        if errors is not None:
            raise DeployError(f"terraform {arguments[0]} failed.", next_step(errors))

    def _run(self, command: list[str], quiet: bool) -> str | None:
        """What it wrote to its standard error, when it failed. It is shown as it comes.

        In a process group of its own, since a second interrupt ends Terraform at once, with what it knows unsaved: a
        terminal tells the whole group, GitHub tells us alone. So each one that we get is passed on, once.
        """
        stdout = subprocess.DEVNULL if quiet else None
        lines: list[str] = []
        interrupts = 0
        with subprocess.Popen(  # noqa: S603 (no shell)
            command, env=self.env, stdout=stdout, stderr=subprocess.PIPE, text=True, process_group=0
        ) as process:
            while True:
                try:
                    _show(process, lines)
                    break
                except Interrupted:
                    interrupts += 1
                    process.send_signal(signal.SIGINT)
        if interrupts:
            raise Interrupted
        return "".join(lines) if process.returncode else None

    @property
    def env(self) -> dict[str, str]:
        ours = {f"TF_VAR_{name}": value for name, value in self.variables.items()}
        return os.environ | ours | {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}

    def init(self, state: State) -> None:
        self.call(
            "init",
            "-input=false",
            "-reconfigure",
            f"-backend-config=bucket={state.bucket}",
            f"-backend-config=region={state.region}",
            quiet=True,
        )

    def apply(self, agreed: bool, *arguments: str) -> None:
        """Plan with these arguments, show it, ask a person unless that is `agreed`, and do what was shown."""
        with tempfile.TemporaryDirectory(prefix="deploy-") as folder:  # for our eyes only
            plan = f"{folder}/plan"
            self.call("plan", "-input=false", LOCK, f"-out={plan}", *arguments, quiet=True)
            self.call("show", "-no-color", plan)
            if not (agreed or self.dry_run or console.agrees("Do this?")):
                raise DeployError("Nothing was done.", "answer yes, or give --yes.")
            self.call("apply", "-input=false", LOCK, plan)

    def show(self, plan: Path) -> dict[str, Any]:
        """A saved plan, in Terraform's JSON form."""
        found: dict[str, Any] = json.loads(self.ask("show", "-json", str(plan)))
        return found

    def outputs(self) -> dict[str, Any]:
        return {name: output["value"] for name, output in json.loads(self.ask("output", "-json")).items()}

    def resources(self) -> list[str]:
        """Addresses of what its state knows; data that is only read is not among them."""
        return [line for line in self.ask("state", "list").split() if not line.startswith("data.")]

    def ask(self, *arguments: str) -> str:
        command = ["terraform", f"-chdir={self.folder}", *arguments]
        asked = subprocess.run(command, env=self.env, check=False, capture_output=True, text=True)  # noqa: S603 (no shell)
        if asked.returncode and "No state file was found" not in asked.stderr:
            say(asked.stderr, stream=sys.stderr)
            raise DeployError(f"terraform {arguments[0]} failed.", next_step(asked.stderr))
        return asked.stdout


def _show(process: subprocess.Popen[str], lines: list[str]) -> None:
    """Until it ends."""
    for line in process.stderr or ():
        lines.append(line)
        sys.stderr.write(line)
    process.wait()


def next_step(errors: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", errors)
    text = re.sub(r"\s*\n[│╷╵ ]*", " ", plain)  # Terraform wraps its lines within a frame
    return next((step for pattern, step in KNOWN if re.search(pattern, text)), AGAIN)


def losses(plan: dict[str, Any]) -> list[str]:
    """Addresses of the precious that this plan deletes, or replaces by something empty."""
    changes: Iterable[dict[str, Any]] = plan.get("resource_changes", [])
    return [
        change["address"]
        for change in changes
        if change["type"] in PRECIOUS and "delete" in change["change"]["actions"]
    ]


def check_there(state: State) -> str:
    """The account that we are in. Terraform is installed, and the state's bucket is in this account."""
    check_installed()
    account = account_of(state.region)
    named = re.search(r"-terraform-(\d{12})$", state.bucket)  # the default name has the account in it
    if named and named[1] != account:
        raise DeployError(
            f"These credentials are of account {account}, but the state's bucket {state.bucket} is of {named[1]}.",
            "sign in to the other account (AWS_PROFILE), or mend TF_STATE_BUCKET.",
        )
    try:
        found = client("s3", state.region).head_bucket(Bucket=state.bucket)
    except ClientError as error:
        if error.response["Error"]["Code"] == "404":
            raise DeployError(f"There is no bucket {state.bucket}.", "script/deploy-bootstrap makes it.") from None
        if error.response["Error"]["Code"] == "403":
            raise DeployError(
                f"The bucket {state.bucket} is closed to account {account}.", "mend TF_STATE_BUCKET, or the rights."
            ) from None
        raise
    place = found.get("BucketRegion", state.region)
    if place != state.region:
        raise DeployError(
            f"The bucket {state.bucket} is in {place}, but AWS_REGION (or --region) says {state.region}.",
            f"AWS_REGION={place}, or mend TF_STATE_BUCKET.",
        )
    return account


def check_installed() -> None:
    if not shutil.which("terraform"):
        raise DeployError("terraform is not on the PATH.", "install Terraform 1.11 or later.")


def account_of(region: str) -> str:
    return str(client("sts", region).get_caller_identity()["Account"])


def check_secrets() -> None:
    given = {name for name, value in os.environ.items() if value}
    missing = [name for name in (f"TF_VAR_{secret}" for secret in SECRETS) if name not in given]
    if "TF_VAR_openai_base_url" in given and "TF_VAR_openai_api_key" in missing:
        missing.remove("TF_VAR_openai_api_key")  # a server of one's own may want none
    if missing:
        raise DeployError(
            f"Not set: {', '.join(missing)}.",
            "give the secrets in the environment; in GitHub they are secrets of the environment `production`.",
        )
