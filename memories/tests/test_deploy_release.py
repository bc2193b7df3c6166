"""script/deploy-release against moto: a release that works, ones that do not, and ones that are killed on their way."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from memories.tests.aws import AWS
from memories.tests.processes import ROOT
from memories.tests.release_cloud import APP, FUNCTIONS, NEW, OLD, Cloud, cloud_of, moto_with_images

pytestmark = [pytest.mark.slow, pytest.mark.wire, pytest.mark.xdist_group("deploy-release")]

WORKER, CLOCK, API = FUNCTIONS
ORDER = [
    f"UpdateFunctionCode {CLOCK}",
    f"PublishVersion {CLOCK}",
    f"Invoke {CLOCK}",
    f"UpdateFunctionCode {WORKER}",
    f"PublishVersion {WORKER}",
    f"UpdateAlias {WORKER}",
    f"UpdateFunctionCode {API}",
    f"PublishVersion {API}",
    f"UpdateAlias {API}",
    f"AddPermission {API}",
    f"UpdateAlias {CLOCK}",
    "SendCommand",
    "PutParameter",
]


@pytest.fixture(scope="module")
def moto() -> Iterator[AWS]:
    with moto_with_images() as made:
        yield made


@pytest.fixture
def cloud(moto: AWS, tmp_path: Path) -> Iterator[Cloud]:
    with cloud_of(moto, tmp_path) as made:
        yield made


def test_a_release_migrates_before_anything_is_moved_and_is_written_down_last(cloud: Cloud) -> None:
    done = cloud.release()
    assert done.returncode == 0, done.stdout
    assert cloud.calls == ORDER
    assert cloud.migrated_by == ["2"], "the new version, while the alias still is at the old one"
    assert cloud.serving() == cloud.all_at(NEW)
    assert f"{NEW} is live." in done.stdout


@pytest.mark.parametrize(("runtime", "left_out"), [("ec2", API), ("lambda", "SendCommand")])
def test_a_release_leaves_out_what_is_not_there(cloud: Cloud, runtime: str, left_out: str) -> None:
    cloud.runtime = runtime
    done = cloud.release()
    assert done.returncode == 0, done.stdout
    assert cloud.calls == [call for call in ORDER if left_out not in call]


def test_the_first_release_finds_its_images_in_place_and_migrates_all_the_same(cloud: Cloud) -> None:
    done = cloud.release(OLD)
    assert done.returncode == 0, done.stdout
    assert cloud.migrated_by == ["1"]
    assert [cloud.versions(name) for name in FUNCTIONS] == [["1"], ["1"], ["1"]]
    assert not [call for call in cloud.calls if call.startswith(("UpdateFunctionCode", "UpdateAlias"))]


def test_a_release_that_is_run_again_changes_nothing(cloud: Cloud) -> None:
    cloud.release()
    versions = {name: cloud.versions(name) for name in FUNCTIONS}
    done = cloud.release()
    assert done.returncode == 0, done.stdout
    assert cloud.serving() == cloud.all_at(NEW)
    assert {name: cloud.versions(name) for name in FUNCTIONS} == versions


def test_the_function_behind_an_address_may_be_invoked_through_it(cloud: Cloud) -> None:
    cloud.release()
    policy = cloud.lambda_.get_policy(FunctionName=API, Qualifier="live")["Policy"]
    assert '"FunctionUrlInvokes"' in policy
    assert "lambda:InvokeFunction" in policy
    cloud.refused = {f"AddPermission {API}": "ResourceConflictException"}  # what AWS says when it is there
    assert cloud.release().returncode == 0


def test_dry_run_says_what_it_would_do_and_does_nothing(cloud: Cloud) -> None:
    done = cloud.release(NEW, "--dry-run")
    assert done.returncode == 0, done.stdout
    assert cloud.calls == []
    assert cloud.serving() == cloud.all_at(OLD)
    assert f"{OLD} -> {NEW}" in done.stdout


def test_a_migration_that_fails_leaves_the_old_version_serving(cloud: Cloud) -> None:
    cloud.migration_error = 'column "mood" does not exist'
    done = cloud.release()
    assert done.returncode == 1
    assert cloud.serving() == cloud.all_at(OLD)
    assert cloud.calls[-1] == f"Invoke {CLOCK}", "nothing came after it"
    assert 'column "mood" does not exist' in done.stdout
    assert "goes on serving" in done.stdout


def test_a_machine_that_does_not_roll_has_all_moved_back(cloud: Cloud) -> None:
    cloud.sick = {NEW}
    done = cloud.release()
    assert done.returncode == 1
    assert cloud.serving() == cloud.all_at(OLD)
    assert f"api-{NEW} was removed" in done.stdout, "what the machine said is shown"


def test_an_address_that_never_gets_well_has_all_moved_back(cloud: Cloud) -> None:
    cloud.sick = {f"function {NEW}"}
    done = cloud.release()
    assert done.returncode == 1
    assert cloud.serving() == cloud.all_at(OLD)
    assert cloud.calls.count("SendCommand") == 2, "the machine was well, and rolled back with the rest"
    assert "FAILED /readyz: every part is ok: answers 503; failed: status, queue" in done.stdout


def test_somebody_who_moved_an_alias_in_between_is_not_run_over(cloud: Cloud) -> None:
    cloud.refused = {f"UpdateAlias {API}": "PreconditionFailedException"}
    done = cloud.release()
    assert done.returncode == 1
    assert "moved by somebody else" in done.stdout
    assert cloud.serving() == cloud.all_at(OLD)


@pytest.mark.parametrize("when", ["before", "after"])
def test_code_that_somebody_else_put_there_is_not_published(cloud: Cloud, when: str) -> None:
    if when == "before":
        cloud.overtaken = f"UpdateFunctionCode {WORKER}"  # their update follows ours
    else:
        cloud.refused = {f"PublishVersion {WORKER}": "PreconditionFailedException"}  # it comes after we looked
    done = cloud.release()
    assert done.returncode == 1
    assert f"The code of {WORKER} changed under our hands" in done.stdout
    assert f"PublishVersion {WORKER}" not in cloud.calls
    assert cloud.serving() == cloud.all_at(OLD)


def test_a_release_that_is_cancelled_moves_back_however_often_it_is_told_to_end(cloud: Cloud) -> None:
    """GitHub sends two signals within seconds, and the second one comes while it is moving back."""
    cloud.interrupt_at = {"SendCommand", f"UpdateAlias {WORKER}"}
    cloud.sick = {NEW}
    done = cloud.release()
    assert done.returncode == 130
    assert "FAILED: interrupted" in done.stdout
    assert cloud.serving() == cloud.all_at(OLD)


def test_a_migration_whose_answer_is_lost_is_not_asked_for_again(cloud: Cloud) -> None:
    cloud.lost = f"Invoke {CLOCK}"
    done = cloud.release()
    assert done.returncode == 1
    assert cloud.calls.count(f"Invoke {CLOCK}") == 1, "the first one may still be at it"
    assert cloud.serving() == cloud.all_at(OLD)


def test_a_release_can_be_made_after_one_that_was_rolled_back(cloud: Cloud) -> None:
    cloud.sick = {f"function {NEW}"}
    assert cloud.release().returncode == 1
    cloud.sick = set()
    assert cloud.release().returncode == 0
    assert cloud.serving() == cloud.all_at(NEW)


@pytest.mark.parametrize("call", ORDER)
def test_a_release_that_is_killed_ends_well_when_it_is_run_again(cloud: Cloud, call: str) -> None:
    cloud.kill_at = call
    assert cloud.release().returncode == -9
    assert cloud.calls[-1] == call
    done = cloud.release()
    assert done.returncode == 0, done.stdout
    assert cloud.serving() == cloud.all_at(NEW)


@pytest.mark.parametrize("call", [f"UpdateAlias {WORKER}", f"UpdateAlias {CLOCK}", "SendCommand"])
def test_after_a_kill_a_release_that_fails_still_goes_back_to_what_was_live(cloud: Cloud, call: str) -> None:
    cloud.kill_at = call
    assert cloud.release().returncode == -9
    cloud.sick = {f"function {NEW}"}
    assert cloud.release().returncode == 1
    assert cloud.serving() == cloud.all_at(OLD)


@pytest.mark.parametrize(("tag", "missing"), [("abcdef1", "api-abcdef1"), ("abcdef2", "lambda-abcdef2")])
def test_a_commit_without_images_is_refused_before_anything_is_changed(cloud: Cloud, tag: str, missing: str) -> None:
    cloud.push("api-abcdef2")
    done = cloud.release(tag)
    assert done.returncode == 1
    assert f"There is no image {missing}" in done.stdout
    assert cloud.calls == []


def test_old_versions_are_deleted_but_never_one_that_is_pointed_at(cloud: Cloud) -> None:
    for number in range(7):
        cloud.lambda_.update_function_configuration(FunctionName=WORKER, MemorySize=1024 + number)
        cloud.lambda_.publish_version(FunctionName=WORKER)
    cloud.lambda_.create_alias(FunctionName=WORKER, Name="kept-by-a-person", FunctionVersion="3")
    done = cloud.release()
    assert done.returncode == 0, done.stdout
    assert cloud.versions(WORKER) == ["1", "3", "5", "6", "7", "8", "9"], "1 was live until now, 3 has an alias"


@pytest.mark.parametrize(
    "arguments",
    [
        ["--tag", "abc; rm -rf /"],
        ["--tag", "$(id)"],
        ["--tag", "latest"],
        ["--tag", "-h\n"],
        ["--region", "us-east-9"],
        ["--app-name", "Memories"],
        ["--app-name", "m--m"],
        ["--app-name", "../memories"],
        ["--patience", "for ever"],
        ["--no-such-argument"],
        ["a-word"],
    ],
)
def test_poisoned_arguments_are_refused_before_any_call(cloud: Cloud, arguments: list[str]) -> None:
    done = cloud.release(NEW, *arguments)
    assert done.returncode == 2, done.stdout
    assert "FAILED: " in done.stdout
    assert "Next: script/deploy-release --help" in done.stdout
    assert cloud.calls == []


def test_another_app_than_terraform_made_is_refused(cloud: Cloud) -> None:
    done = cloud.release(NEW, "--app-name", "another")
    assert done.returncode == 1
    assert f"Terraform made {APP} in us-east-1" in done.stdout
    assert cloud.calls == []


def test_settings_that_are_missing_are_named() -> None:
    env = {name: value for name, value in os.environ.items() if name not in ("APP_NAME", "AWS_REGION", "IMAGE_TAG")}
    done = subprocess.run([ROOT / "script/deploy-release"], env=env, capture_output=True, text=True)
    assert done.returncode == 2
    assert "FAILED: Not set: IMAGE_TAG (or --tag), APP_NAME (or --app-name), AWS_REGION (or --region)." in done.stderr
    assert "Next: set it; in GitHub" in done.stderr


def look(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    settings = {"APP_NAME": APP, "AWS_REGION": "us-east-1", "IMAGE_TAG": NEW}
    env = os.environ | settings | {"PATH": f"{folder}:{os.environ['PATH']}"}
    command = [str(ROOT / "script/deploy-release"), "--dry-run", *arguments]
    return subprocess.run(command, env=env, capture_output=True, text=True)


def test_a_file_of_outputs_that_is_not_there_is_named(tmp_path: Path) -> None:
    done = look(tmp_path, "--outputs", str(tmp_path / "none.json"))
    assert done.returncode == 1
    assert "none.json cannot be read: No such file or directory.\nNext: terraform" in done.stderr


@pytest.mark.parametrize(
    ("said", "next_step"),
    [
        ("Error: Backend initialization required, please run terraform init", "init -backend-config="),
        ("Error: something else", "script/deploy-plan and script/deploy-apply"),
    ],
)
def test_a_terraform_without_outputs_is_told_what_it_lacks(tmp_path: Path, said: str, next_step: str) -> None:
    terraform = tmp_path / "terraform"
    terraform.write_text(f"#!/bin/sh\necho 'Warning: of no use\n\n{said}' >&2\nexit 1\n")
    terraform.chmod(0o755)
    done = look(tmp_path)
    assert done.returncode == 1
    assert next_step in done.stderr.partition("Next: ")[2]
    assert "Warning" not in done.stderr
