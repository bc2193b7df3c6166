"""script/deploy-plan, -apply, -bootstrap and -destroy: with a stand-in of Terraform that writes down how it was called,
and moto for what the scripts look at themselves."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from deploy.terraform_cli import PLACEHOLDERS
from memories.tests.aws import AWS
from memories.tests.processes import ROOT

pytestmark = [pytest.mark.slow, pytest.mark.wire]

ACCOUNT = "123456789012"  # moto's
SECRETS = {
    "TF_VAR_db_password": "a-password-of-the-database",
    "TF_VAR_django_secret_key": "a-key-of-django",
    "TF_VAR_openai_api_key": "a-key-of-openai",
}
# Answers come from files beside it; each call is a line of `calls`.
STAND_IN = """#!/usr/bin/env bash
here=$(dirname "$0")
folder=${1#-chdir=}
shift
echo "$(basename "$folder") $*" >>"$here/calls"
env | grep ^TF_VAR_ | sort >"$here/env-$(basename "$folder")-$1"
[ ! -f "$folder/backend.tf" ] || cp "$folder/backend.tf" "$here/"
for argument; do case $argument in -out=*) echo planned >"${argument#-out=}" ;; esac; done
if [ -f "$here/long-$1" ]; then
  trap 'echo interrupted >>"$here/signals"' INT
  echo "Apply has begun" >&2
  until [ -f "$here/signals" ]; do sleep 0.05; done
  sleep 0.5 || true # for a second one to come
  echo "Apply has saved what it made" >&2
  exit 1
fi
if [ -f "$here/fail-$1" ]; then
  cat "$here/fail-$1" >&2
  [ ! -f "$here/fail-once" ] || rm "$here/fail-$1"
  exit 1
fi
name=$1
[ "$1" != show ] || name=$1$2
[ "$1" != state ] || name=$1-$2
cat "$here/answer-$(basename "$folder")-$name" 2>/dev/null || cat "$here/answer-$name" 2>/dev/null || true
"""
LOCKED = """
╷
│ Error: Error acquiring the state lock
│
│ Error message: operation error S3: PutObject, https response error
│ StatusCode: 412, api error PreconditionFailed: At least one of the
│ pre-conditions you specified did not hold
│ Lock Info:
│   ID:        7f2e4c1a-8f4b-9d6e-1c1b-2f1f0a9b7c3d
│   Who:       ada@laptop
╵
"""


@dataclass
class Workshop:
    """A stand-in of Terraform first on the PATH, and an account."""

    folder: Path
    aws: AWS
    bucket: str

    def run(self, script: str, *arguments: str, say: str = "", **env: str) -> subprocess.CompletedProcess[str]:
        with self.begin(script, *arguments, **env) as process:
            output = process.communicate(say, timeout=60)[0]
        return subprocess.CompletedProcess(process.args, process.returncode, output)

    def begin(self, script: str, *arguments: str, **env: str) -> subprocess.Popen[str]:
        given = {name: value for name, value in os.environ.items() if not name.startswith(("TF_", "AWS_"))}
        given |= self.aws.env | {"APP_NAME": "memories", "TF_STATE_BUCKET": self.bucket, "IMAGE_TAG": "abcdef1"}
        given |= {"PATH": f"{self.folder}:{os.environ['PATH']}"} | SECRETS | env
        if script in ("deploy-plan", "deploy-apply"):
            arguments = ("--plan", str(self.folder / "saved.tfplan"), *arguments)
        command = [str(ROOT / "script" / script), *arguments]
        return subprocess.Popen(
            command,
            env=given,
            text=True,
            process_group=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def answers(self, name: str, text: str | dict[str, Any]) -> None:
        (self.folder / f"answer-{name}").write_text(text if isinstance(text, str) else json.dumps(text))

    def fails(self, name: str, text: str, *, once: bool = False) -> None:
        (self.folder / f"fail-{name}").write_text(text)
        if once:
            (self.folder / "fail-once").touch()

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def commands(self) -> list[str]:
        """Folder and first word of each call."""
        return [" ".join(call.split()[:2]) for call in self.calls]

    def variables(self, command: str) -> str:
        return (self.folder / f"env-{command.replace(' ', '-')}").read_text()


@pytest.fixture
def workshop(aws: AWS, tmp_path: Path) -> Workshop:
    terraform = tmp_path / "terraform"
    terraform.write_text(STAND_IN)
    terraform.chmod(0o755)
    bucket = f"state-{uuid.uuid4()}"
    aws.client("s3").create_bucket(Bucket=bucket)
    made = Workshop(tmp_path, aws, bucket)
    made.answers("show-json", {"resource_changes": []})
    return made


# --- plan and apply ---------------------------------------------------------------------------------------------------


def test_a_plan_is_saved_and_shown_and_applied_as_it_was_saved(workshop: Workshop) -> None:
    workshop.answers("show-no-color", "Plan: 3 to add, 0 to change, 0 to destroy.\n")
    planned = workshop.run("deploy-plan")
    assert planned.returncode == 0, planned.stdout
    assert "Plan: 3 to add" in planned.stdout
    saved = workshop.folder / "saved.tfplan"
    assert saved.stat().st_mode & 0o077 == 0, "nobody else may read it"
    assert f"-backend-config=bucket={workshop.bucket}" in workshop.calls[0]
    assert "TF_VAR_image_tag=abcdef1" in workshop.variables("terraform plan")
    applied = workshop.run("deploy-apply")
    assert applied.returncode == 0, applied.stdout
    assert f"terraform apply -input=false -lock-timeout=120s {saved}" in workshop.calls
    assert not saved.exists(), "what is applied is not applied again"


def test_no_secret_is_an_argument_or_printed(workshop: Workshop) -> None:
    said = workshop.run("deploy-plan").stdout + workshop.run("deploy-apply").stdout
    for secret in SECRETS.values():
        assert secret not in said
        assert secret not in "\n".join(workshop.calls)
        assert secret in workshop.variables("terraform apply"), "they are in no plan, so apply needs them again"


def test_apply_without_a_plan_says_what_comes_first(workshop: Workshop) -> None:
    done = workshop.run("deploy-apply")
    assert done.returncode == 1
    assert "Next: script/deploy-plan" in done.stdout
    assert workshop.calls == []


@pytest.mark.parametrize("actions", [["delete"], ["delete", "create"], ["create", "delete"]])
def test_a_plan_that_would_lose_the_database_is_not_applied_by_mistake(workshop: Workshop, actions: list[str]) -> None:
    change = {"address": "aws_db_instance.this", "type": "aws_db_instance", "change": {"actions": actions}}
    workshop.answers("show-json", {"resource_changes": [change]})
    assert "WARNING: this plan deletes aws_db_instance.this" in workshop.run("deploy-plan").stdout
    refused = workshop.run("deploy-apply")
    assert refused.returncode == 1
    assert "aws_db_instance.this" in refused.stdout
    assert "terraform apply" not in workshop.commands()
    assert workshop.run("deploy-apply", "--lose-data").returncode == 0
    assert "terraform apply" in workshop.commands()


@pytest.mark.parametrize(
    ("said", "step"),
    [
        (LOCKED, "force-unlock ID"),
        (
            "│ Error: Failed to save state\n│ api error NoSuchBucket: The specified\n│ bucket does not exist",
            "deploy-bootstrap",
        ),
        ("Error: creating S3 Bucket (x): BucketAlreadyExists: The requested bucket name", "choose another APP_NAME"),
        ('Error: Failed to persist state\n saved to "errored.tfstate": AccessDenied', "state push errored.tfstate"),
        ("\x1b[31m│\x1b[0m \x1b[0mError: Error acquiring the\n\x1b[31m│\x1b[0m state lock", "force-unlock ID"),
        (LOCKED + 'Error: Failed to save state\n saved to "errored.tfstate"', "state push errored.tfstate"),
        ("Error: Error releasing the state lock\n Lock Info", "the state is saved, and its lock is still there"),
        ("Error: Invalid value for input variable\n cors_origins", '["https://…"]'),
        ("operation error S3: HeadObject, StatusCode: 403, api error Forbidden: Forbidden", "lack that right"),
        ("Error: Saved plan is stale", "script/deploy-plan, then again"),
        ("Error: No valid credential sources found", "sign in to AWS"),
        ('Error: No value for required variable\n The root module input variable "alarm_email"', "TF_VAR_"),
        (
            "Error: creating Lambda: InvalidParameterValueException: Source image x:lambda-1 does not exist",
            "push the images",
        ),
        ("api error AccessDenied: User is not authorized to perform s3:Get", "lack that right"),
        ("Error: something that nobody has seen before", "goes on from where it stopped"),
    ],
)
def test_what_is_known_to_fail_has_a_next_step_beside_terraforms_own_words(
    workshop: Workshop, said: str, step: str
) -> None:
    workshop.fails("plan", said)
    done = workshop.run("deploy-plan")
    assert done.returncode == 1
    assert said.strip().splitlines()[-1] in done.stdout
    assert step in done.stdout.partition("Next: ")[2]


def test_a_state_bucket_that_is_missing_is_found_before_terraform_runs(workshop: Workshop) -> None:
    done = workshop.run("deploy-plan", TF_STATE_BUCKET="memories-terraform")
    assert done.returncode == 1
    assert "There is no bucket memories-terraform.\nNext: script/deploy-bootstrap" in done.stdout
    assert workshop.calls == []


def test_the_state_of_another_account_is_not_touched(workshop: Workshop) -> None:
    done = workshop.run("deploy-plan", TF_STATE_BUCKET="memories-terraform-999999999999")
    assert done.returncode == 1
    assert f"These credentials are of account {ACCOUNT}" in done.stdout
    assert workshop.calls == []


def test_a_state_bucket_of_another_region_is_found_before_terraform_runs(workshop: Workshop) -> None:
    done = workshop.run("deploy-plan", "--region", "eu-west-1")
    assert done.returncode == 1
    assert f"The bucket {workshop.bucket} is in us-east-1, but AWS_REGION (or --region) says eu-west-1." in done.stdout
    assert workshop.calls == []


def test_a_plan_that_failed_half_way_is_not_applied(workshop: Workshop) -> None:
    workshop.run("deploy-plan")
    workshop.fails("plan", "Error: something")
    assert workshop.run("deploy-plan").returncode == 1
    assert "There is no saved plan" in workshop.run("deploy-apply").stdout


@pytest.mark.parametrize("told", ["the script alone, as GitHub does", "all in the terminal"])
def test_an_apply_that_is_interrupted_once_interrupts_terraform_once_and_waits_for_it(
    workshop: Workshop, told: str
) -> None:
    workshop.run("deploy-plan")
    (workshop.folder / "long-apply").touch()
    with workshop.begin("deploy-apply") as process:
        said = iter(process.stdout or ())
        assert any("Apply has begun" in line for line in said)
        if told.startswith("all"):
            os.killpg(process.pid, signal.SIGINT)
        else:
            process.send_signal(signal.SIGINT)
        rest = "".join(said)
    assert process.returncode == 130
    assert "Apply has saved what it made" in rest
    assert (workshop.folder / "signals").read_text() == "interrupted\n", "the second one would end it at once"


def test_missing_credentials_are_said_as_such(workshop: Workshop) -> None:
    done = workshop.run("deploy-plan", AWS_ACCESS_KEY_ID="", AWS_SECRET_ACCESS_KEY="")
    assert done.returncode == 1
    assert "There are no credentials for AWS." in done.stdout
    assert workshop.calls == []


def test_missing_secrets_are_named(workshop: Workshop) -> None:
    done = workshop.run("deploy-plan", TF_VAR_db_password="", TF_VAR_openai_api_key="")
    assert done.returncode == 1
    assert "Not set: TF_VAR_db_password, TF_VAR_openai_api_key." in done.stdout
    assert workshop.calls == []


def test_a_missing_terraform_is_said_as_such(workshop: Workshop) -> None:
    (workshop.folder / "terraform").unlink()
    tools = workshop.folder / "tools"
    tools.mkdir()
    for tool in ("bash", "env", "dirname", "python3"):
        found = subprocess.run(["which", tool], capture_output=True, text=True, check=True).stdout.strip()
        (tools / tool).symlink_to(found)
    done = workshop.run("deploy-plan", PATH=str(tools))
    assert done.returncode == 1
    assert "terraform is not on the PATH" in done.stdout


@pytest.mark.parametrize("script", ["deploy-plan", "deploy-apply"])
def test_a_dry_run_calls_nothing_that_changes(workshop: Workshop, script: str) -> None:
    (workshop.folder / "saved.tfplan").touch()
    done = workshop.run(script, "--dry-run")
    assert done.returncode == 0, done.stdout
    assert "Would run: terraform" in done.stdout
    assert set(workshop.commands()) <= {"terraform show"}


@pytest.mark.parametrize(
    ("script", "arguments"),
    [
        ("deploy-plan", ["--tag", "latest"]),
        ("deploy-plan", ["--tag", "abc; rm -rf /"]),
        ("deploy-plan", ["--state-bucket", "a bucket"]),
        ("deploy-plan", ["--region", "us-east-1; id"]),
        ("deploy-apply", ["--region", "moon-east-1"]),
        ("deploy-apply", ["extra"]),
        ("deploy-bootstrap", []),
        ("deploy-bootstrap", ["not-a-repository"]),
        ("deploy-bootstrap", ["OWNER/NAME"]),
        ("deploy-bootstrap", ["OWNER@1234/NAME@5678"]),
        ("deploy-bootstrap", ["octocat/memories*"]),
        ("deploy-bootstrap", ["octocat/$(id)"]),
        ("deploy-destroy", []),
        ("deploy-destroy", ["memories", "--force"]),
    ],
)
def test_malformed_arguments_are_refused_before_anything_is_done(
    workshop: Workshop, script: str, arguments: list[str]
) -> None:
    done = workshop.run(script, *arguments)
    assert done.returncode == 2, done.stdout
    assert "\nNext: " in done.stdout
    assert workshop.calls == []


# --- bootstrap --------------------------------------------------------------------------------------------------------


OUTPUTS = {
    "state_bucket": {"value": "the-bucket"},
    "build_role_arn": {"value": "arn:aws:iam::123456789012:role/build"},
    "deploy_role_arn": {"value": "arn:aws:iam::123456789012:role/deploy"},
    "boundary_arn": {"value": "arn:aws:iam::123456789012:policy/memories-boundary"},
    "region": {"value": "us-east-1"},
}


@pytest.fixture
def bare(workshop: Workshop) -> Workshop:
    """An account with nothing in it."""
    workshop.aws.client("s3").delete_bucket(Bucket=workshop.bucket)
    workshop.answers("output", OUTPUTS)
    return workshop


def test_the_bootstrap_keeps_its_own_state_in_the_bucket_that_it_makes(bare: Workshop) -> None:
    done = bare.run("deploy-bootstrap", "octocat/memories", "--yes")
    assert done.returncode == 0, done.stdout
    s3 = bare.aws.client("s3")
    assert s3.get_bucket_versioning(Bucket=bare.bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=bare.bucket)["PublicAccessBlockConfiguration"].values())
    assert 'key          = "bootstrap/terraform.tfstate"' in (bare.folder / "backend.tf").read_text()
    ours = [command for command in bare.commands() if command.startswith("bootstrap ")]
    assert ours == [f"bootstrap {name}" for name in ("init", "state", "import", "plan", "show", "apply", "output")]
    assert f"bootstrap import -input=false -lock-timeout=120s aws_s3_bucket.state {bare.bucket}" in bare.calls


def test_the_bootstrap_then_makes_the_repository_of_images_and_nothing_else(bare: Workshop) -> None:
    done = bare.run("deploy-bootstrap", "octocat/memories", "--yes")
    assert done.returncode == 0, done.stdout
    plan = next(call for call in bare.calls if call.startswith("terraform plan"))
    assert plan.endswith("-target=aws_ecr_repository.images")
    assert "a-password-of-the-database" not in bare.variables("terraform plan")


def test_the_bootstrap_ends_with_what_github_must_know(bare: Workshop) -> None:
    said = bare.run("deploy-bootstrap", "octocat@1234/memories@5678", "--yes").stdout
    assert "TF_VAR_github_repository=octocat@1234/memories@5678" in bare.variables("bootstrap plan")
    for line in (
        f"gh variable set AWS_DEPLOY_ROLE_ARN --body arn:aws:iam::{ACCOUNT}:role/deploy --repo octocat/memories",
        f"gh variable set AWS_BUILD_ROLE_ARN --body arn:aws:iam::{ACCOUNT}:role/build --repo octocat/memories",
        "gh variable set TF_STATE_BUCKET --body the-bucket --repo octocat/memories",
        "gh secret set OPENAI_API_KEY --env production --repo octocat/memories",
    ):
        assert line in said
    pasted = [line.strip() for line in said.splitlines() if line.strip().startswith(("gh ", "openssl "))]
    assert pasted
    assert not [line for line in pasted if "example.org" in line or "DOMAIN_NAME" in line], (
        "all that is pasted is right"
    )


def test_the_bootstrap_may_be_run_again(bare: Workshop) -> None:
    assert bare.run("deploy-bootstrap", "octocat/memories", "--yes").returncode == 0
    bare.answers("state-list", "aws_iam_policy.boundary\naws_s3_bucket.state\n")
    (bare.folder / "calls").unlink()
    done = bare.run("deploy-bootstrap", "octocat/memories", "--yes")
    assert done.returncode == 0, done.stdout
    assert "bootstrap import" not in bare.commands()


@pytest.mark.parametrize("answer", ["", "no\n", "y\n"])
def test_the_bootstrap_asks_and_takes_only_yes(bare: Workshop, answer: str) -> None:
    done = bare.run("deploy-bootstrap", "octocat/memories", say=answer)
    assert done.returncode == 1
    assert "Nothing was done." in done.stdout
    assert "bootstrap apply" not in bare.commands()


def test_a_dry_run_of_the_bootstrap_makes_no_bucket(bare: Workshop) -> None:
    done = bare.run("deploy-bootstrap", "octocat/memories", "--dry-run")
    assert done.returncode == 0, done.stdout
    assert f"Would make {bare.bucket}." in done.stdout
    assert bare.calls == []
    assert bare.bucket not in [found["Name"] for found in bare.aws.client("s3").list_buckets()["Buckets"]]


def test_the_bootstrap_is_removed_only_when_nothing_stands_on_it(workshop: Workshop) -> None:
    workshop.answers("state-list", "aws_db_instance.this\n")
    done = workshop.run("deploy-bootstrap", "octocat/memories", "--remove", "--yes")
    assert done.returncode == 1
    assert "Next: script/deploy-destroy memories, first." in done.stdout
    assert "bootstrap apply" not in workshop.commands()


def test_the_bootstrap_is_removed_with_its_bucket(workshop: Workshop) -> None:
    workshop.answers(
        "bootstrap-state-list", "aws_iam_policy.boundary\naws_s3_bucket.state\naws_s3_bucket_policy.state\n"
    )
    s3 = workshop.aws.client("s3")
    s3.put_bucket_versioning(Bucket=workshop.bucket, VersioningConfiguration={"Status": "Enabled"})
    for _ in range(2):
        s3.put_object(Bucket=workshop.bucket, Key="prod/terraform.tfstate", Body=b"{}")
    done = workshop.run("deploy-bootstrap", "octocat/memories", "--remove", "--yes")
    assert done.returncode == 0, done.stdout
    assert "bootstrap state rm -lock-timeout=120s aws_s3_bucket.state aws_s3_bucket_policy.state" in workshop.calls
    assert "-destroy" in next(call for call in workshop.calls if call.startswith("bootstrap plan"))
    assert workshop.bucket not in [found["Name"] for found in s3.list_buckets()["Buckets"]]


def test_what_terraform_asks_for_is_given_where_nothing_is_made_of_it() -> None:
    text = (ROOT / "deploy/terraform/variables.tf").read_text()
    variables = re.findall(r'^variable "(\w+)" \{\n(.*?)^\}', text, flags=re.DOTALL | re.MULTILINE)
    required = {name for name, body in variables if not re.search(r"^  default +=", body, flags=re.MULTILINE)}
    assert required, "there are some"
    assert required <= PLACEHOLDERS.keys()


# --- destroy ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def audio(workshop: Workshop) -> str:
    """The bucket of the audio, with two recordings."""
    bucket = workshop.aws.make_bucket()
    for number in range(2):
        workshop.aws.client("s3").put_object(Bucket=bucket, Key=f"audio/{number}", Body=b"sound")
    workshop.answers("output", {"bucket_name": {"value": bucket}})
    return bucket


def recordings(workshop: Workshop, bucket: str) -> int:
    return int(workshop.aws.client("s3").list_objects_v2(Bucket=bucket)["KeyCount"])


def test_a_destroy_wants_the_apps_name(workshop: Workshop) -> None:
    done = workshop.run("deploy-destroy", "memorise")
    assert done.returncode == 1
    assert "'memorise' is not 'memories'" in done.stdout
    assert workshop.calls == []


def test_recordings_stop_a_destroy_that_was_not_told_to_delete_them(workshop: Workshop, audio: str) -> None:
    done = workshop.run("deploy-destroy", "memories")
    assert done.returncode == 1
    assert "holds 2 recordings" in done.stdout
    assert recordings(workshop, audio) == 2
    assert "terraform apply" not in workshop.commands()


def test_a_destroy_deletes_recordings_when_it_is_told_to_and_says_what_is_left(workshop: Workshop, audio: str) -> None:
    done = workshop.run("deploy-destroy", "memories", "--delete-audio", TF_VAR_db_password="")
    assert done.returncode == 0, done.stdout
    assert recordings(workshop, audio) == 0
    assert "-destroy" in next(call for call in workshop.calls if call.startswith("terraform plan"))
    assert "script/deploy-bootstrap OWNER/REPOSITORY --remove" in done.stdout


def test_recordings_that_come_in_while_it_is_destroyed_are_deleted_too(workshop: Workshop, audio: str) -> None:
    workshop.fails("apply", "Error: deleting S3 Bucket: BucketNotEmpty: not empty", once=True)
    done = workshop.run("deploy-destroy", "memories", "--delete-audio")
    assert done.returncode == 0, done.stdout
    assert workshop.commands().count("terraform apply") == 2


def test_a_dry_run_of_a_destroy_deletes_nothing(workshop: Workshop, audio: str) -> None:
    done = workshop.run("deploy-destroy", "memories", "--delete-audio", "--dry-run")
    assert done.returncode == 0, done.stdout
    assert "Would delete 2 recordings." in done.stdout
    assert recordings(workshop, audio) == 2
    assert workshop.commands() == ["terraform init", "terraform output"]


def test_where_no_bucket_was_made_there_are_no_recordings(workshop: Workshop) -> None:
    workshop.answers("output", {})
    done = workshop.run("deploy-destroy", "memories", "--dry-run")
    assert done.returncode == 0, done.stdout
    assert "no bucket, so no recordings" in done.stdout
