"""What GitHub runs: by whom, with which rights and secrets, and that each command is one of script/ that exists."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy.arguments import REPOSITORY
from deploy.bootstrap import name_of
from deploy.images.engine import DOCKERFILES, tag_of

ROOT = Path(__file__).parents[2]
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TERRAFORM = ROOT / "deploy/terraform"
Job = dict[str, Any]


def load(path: Path) -> dict[str, Any]:
    loaded: dict[Any, Any] = yaml.safe_load(path.read_text())
    loaded["on"] = loaded.pop(True)  # YAML 1.1, and so this parser, takes `on` for a yes
    return loaded


def jobs() -> dict[str, Job]:
    return {f"{path.stem}/{name}": job for path in WORKFLOWS for name, job in load(path)["jobs"].items()}


JOBS = jobs()
each_workflow = pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
each_job = pytest.mark.parametrize("name", JOBS)


def commands(job: Job) -> Iterator[str]:
    """What a job runs, each value of its matrix in place."""
    matrix: dict[str, list[str]] = job.get("strategy", {}).get("matrix", {})
    for step in job["steps"]:
        if step.get("run") == "${{ matrix.command }}":
            yield from matrix["command"]
        elif "run" in step:
            yield step["run"].removeprefix("exec ")


def secrets_in(value: object) -> set[str]:
    return set(re.findall(r"\bsecrets\b[.\w]*", str(value)))


def declared_variables() -> set[str]:
    texts = (path.read_text() for path in TERRAFORM.glob("*.tf"))
    return {name for text in texts for name in re.findall(r'^variable "(\w+)"', text, re.MULTILINE)}


@each_workflow
def test_nothing_is_granted_to_a_whole_workflow(path: Path) -> None:
    assert load(path)["permissions"] == {}


@each_workflow
def test_no_workflow_runs_code_of_strangers_with_our_rights(path: Path) -> None:
    """`pull_request_target` and `workflow_run` would; and who may ask for a run by hand is asked once more."""
    assert set(load(path)["on"]) <= {"push", "pull_request", "workflow_dispatch"}


@each_workflow
def test_no_secret_is_given_to_more_than_one_step(path: Path) -> None:
    workflow = load(path)
    assert secrets_in({key: value for key, value in workflow.items() if key != "jobs"}) == set()
    for job in workflow["jobs"].values():
        assert secrets_in({key: value for key, value in job.items() if key != "steps"}) == set()
        assert secrets_in([{**step, "env": {}} for step in job["steps"]]) == set()


@each_job
def test_secrets_and_the_deploying_role_are_for_who_was_approved(name: str) -> None:
    job = JOBS[name]
    wants = secrets_in(job) or "AWS_DEPLOY_ROLE_ARN" in str(job["steps"])
    assert job.get("environment") == ("production" if wants else None)


@each_job
def test_only_main_gets_a_role_of_aws(name: str) -> None:
    job = JOBS[name]
    if "id-token" not in job["permissions"]:
        assert "configure-aws-credentials" not in str(job["steps"])
        return
    condition = job.get("if", "")
    needs = JOBS[f"{name.partition('/')[0]}/{job['needs']}"].get("if", "") if "needs" in job else ""
    assert "github.ref == 'refs/heads/main'" in f"{condition} {needs}"


@each_job
def test_each_job_has_few_rights_and_ends_before_its_credentials_do(name: str) -> None:
    job = JOBS[name]
    assert set(job["permissions"].items()) <= {("contents", "read"), ("id-token", "write")}
    roles = [step["with"] for step in job["steps"] if "configure-aws-credentials" in step.get("uses", "")]
    lasting = [role.get("role-duration-seconds", 3600) // 60 for role in roles]  # minutes
    assert 0 < job["timeout-minutes"] <= min(lasting, default=60)


def test_a_destroy_outlasts_lambdas_interfaces() -> None:
    """AWS deletes them up to 45 minutes after the last function; Terraform waits 50 for what they hold."""
    waits = [int(found) for found in re.findall(r'delete = "(\d+)m"', (TERRAFORM / "network.tf").read_text())]
    assert JOBS["destroy/destroy"]["timeout-minutes"] > 2 * max(waits)


@pytest.mark.parametrize("name", ["ci-cd/deploy", "destroy/destroy"])
def test_who_is_cancelled_is_told(name: str) -> None:
    """GitHub signals the process that a step began with: without `exec` that is a shell, which tells nobody."""
    runs = [step["run"] for step in JOBS[name]["steps"] if "run" in step]
    assert [run for run in runs if not run.startswith("exec script/deploy-")] == []
    scripts = {shlex.split(run)[1] for run in runs}
    last = {path: (ROOT / path).read_text().strip().splitlines()[-1] for path in [*scripts, "deploy/run"]}
    assert [path for path, line in last.items() if "exec " not in line] == []


@each_job
def test_no_checkout_leaves_its_token_behind(name: str) -> None:
    checkouts = [step for step in JOBS[name]["steps"] if step.get("uses", "").startswith("actions/checkout@")]
    assert [step["with"]["persist-credentials"] for step in checkouts] == [False]


@each_job
def test_what_a_stranger_writes_is_no_part_of_a_command(name: str) -> None:
    runs = [step["run"] for step in JOBS[name]["steps"] if "run" in step]
    assert [run for run in runs if "${{" in run and run != "${{ matrix.command }}"] == []


@each_job
def test_each_command_is_one_script_that_is_there(name: str) -> None:
    programs = {shlex.split(command)[0] for command in commands(JOBS[name])}
    assert programs != set()
    assert [each for each in programs if not (each.startswith("script/") and os.access(ROOT / each, os.X_OK))] == []


def test_each_action_is_pinned_by_commit_and_says_its_version_and_there_is_one_version_of_each() -> None:
    pins = set[tuple[str, str, str]]()
    for path in WORKFLOWS:
        for line in re.findall(r"uses: *(.*)", path.read_text()):
            found = re.fullmatch(r"([\w.-]+/[\w./-]+)@([0-9a-f]{40}) # (v\d+\.\d+\.\d+)", line)
            assert found, line
            pins.add((found[1], found[2], found[3]))
    assert len({action for action, _, _ in pins}) == len(pins)


def test_a_deploy_goes_plan_apply_release_smoke_and_is_never_cut_off() -> None:
    deploy = JOBS["ci-cd/deploy"]
    assert list(commands(deploy)) == [f"script/deploy-{step}" for step in ("plan", "apply", "release", "smoke")]
    assert deploy["concurrency"] == JOBS["destroy/destroy"]["concurrency"]
    assert deploy["concurrency"]["cancel-in-progress"] is False
    assert (deploy["needs"], JOBS["ci-cd/build-and-push"]["needs"]) == ("build-and-push", "test")


def test_a_run_by_hand_releases_as_a_push_does_and_cuts_off_no_other() -> None:
    """A fork has nothing to push, and neither has who changes a variable of GitHub."""
    workflow = load(ROOT / ".github/workflows/ci-cd.yml")
    assert "workflow_dispatch" in workflow["on"]
    assert "github.event_name != 'pull_request'" in JOBS["ci-cd/build-and-push"]["if"]
    assert "event_name" not in JOBS["ci-cd/deploy"]["if"]
    assert workflow["concurrency"]["group"].endswith("${{ github.event.pull_request.number || github.run_id }}")


def test_images_are_tried_and_scanned_before_they_are_pushed() -> None:
    steps = JOBS["ci-cd/build-and-push"]["steps"]
    done = [
        " ".join(shlex.split(step["run"])[:2]) if "run" in step else step["uses"].partition("@")[0] for step in steps
    ]
    scans = [step["with"] for step in steps if step.get("uses", "").startswith("anchore/scan-action@")]
    order = ["script/images build", "script/images smoke", "anchore/scan-action", "script/images push"]
    assert [each for each in dict.fromkeys(done) if each in order] == order
    assert {scan["image"] for scan in scans} == {tag_of(image) for image in DOCKERFILES}
    assert {(scan["severity-cutoff"], scan["only-fixed"]) for scan in scans} == {("critical", True)}


def test_lambda_is_given_an_image_and_not_an_index() -> None:
    build = next(step for step in JOBS["ci-cd/build-and-push"]["steps"] if step.get("run") == "script/images build")
    assert {"--load", "--provenance=false"} <= set(shlex.split(build["env"]["BUILD_FLAGS"]))


def test_what_ci_run_does_is_what_a_pull_request_is_tested_by() -> None:
    """But for the images: they want a builder, and a registry."""
    local = set(re.findall(r"^(?:.* )?(script/[\w-]+)", (ROOT / ".ci/run").read_text(), re.MULTILINE))
    assert local == {shlex.split(command)[0] for command in commands(JOBS["ci-cd/test"])}


@pytest.mark.parametrize("name", ["ci-cd/deploy", "destroy/destroy"])
def test_terraform_knows_each_variable_that_it_is_given(name: str) -> None:
    given = set(re.findall(r"TF_VAR_(\w+)", str(JOBS[name])))
    assert given - declared_variables() == set()


def test_terraform_is_given_each_variable_that_has_no_default() -> None:
    """But the tag of the images, which the scripts pass on from IMAGE_TAG."""
    blocks = re.findall(
        r'^variable "(\w+)" \{\n(.*?)^\}', (TERRAFORM / "variables.tf").read_text(), re.MULTILINE | re.DOTALL
    )
    wanted = {name for name, body in blocks if not re.search(r"^  default\b", body, re.MULTILINE)}
    given = set(re.findall(r"TF_VAR_(\w+)", str(JOBS["ci-cd/deploy"])))
    assert wanted - given == {"image_tag"}


def test_the_version_of_terraform_is_said_once_and_is_enough() -> None:
    versions = {found for path in WORKFLOWS for found in re.findall(r'"(1\.\d+\.\d+)"', path.read_text())}
    (version,) = versions
    least = re.search(r'required_version = ">= (\d+)\.(\d+)\.(\d+)', (TERRAFORM / "main.tf").read_text())
    assert least
    assert [int(part) for part in version.split(".")] >= [int(part) for part in least.groups()]


def test_a_person_can_read_which_variables_and_secrets_github_wants() -> None:
    wanted = {name for path in WORKFLOWS for name in re.findall(r"\b(?:vars|secrets)\.(\w+)", path.read_text())}
    explained = (ROOT / "docs/deployment.md").read_text()
    assert [name for name in sorted(wanted) if name not in explained] == []


def test_documents_are_tested_by_one_workflow_or_the_other() -> None:
    """What ci-cd.yml leaves out is looked over by docs.yml, but for the forms that nothing is tested of."""
    forms = {"LICENSE", ".github/*_TEMPLATE*", ".github/*_TEMPLATE*/**"}
    for trigger in ("push", "pull_request"):
        left_out = load(ROOT / ".github/workflows/ci-cd.yml")["on"][trigger]["paths-ignore"]
        assert set(left_out) - forms == set(load(ROOT / ".github/workflows/docs.yml")["on"][trigger]["paths"])


def test_dependabot_looks_after_all_that_we_take_from_others() -> None:
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text())["updates"]
    looked_after = {
        update["package-ecosystem"]: update.get("directories", [update.get("directory")]) for update in updates
    }
    assert looked_after.keys() == {"uv", "docker", "docker-compose", "github-actions", "terraform"}
    folders = {
        "/" + str(path.parent.relative_to(ROOT)) for path in TERRAFORM.rglob("*.tf") if ".terraform" not in path.parts
    }
    assert set(looked_after["terraform"]) == {folder for folder in folders if not folder.endswith("/tests")}
    assert all(update["groups"] and update["cooldown"]["default-days"] >= 7 for update in updates)


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github/ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda path: path.name
)
def test_a_form_has_what_github_asks_for(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "body"} <= form.keys()
    ids = [field["id"] for field in form["body"] if field["type"] != "markdown"]
    assert len(ids) == len(set(ids)) > 0
    assert all(field["attributes"].get("label") for field in form["body"] if field["type"] != "markdown")


@pytest.mark.parametrize(
    ("repository", "well"),
    [
        ("octocat/memories", True),
        ("octocat@1234/memories@5678", True),  # how GitHub signs what is of 2026-07-15 or later
        ("octocat@1234/memories", False),
        ("octocat/memories@5678", False),
        ("octocat@*/memories@*", False),
        ("octocat/*", False),
        ("octocat/memories:environment:production", False),
        ("https://github.com/octocat/memories", False),
    ],
)
def test_one_repository_is_trusted_in_either_of_the_ways_that_github_signs(repository: str, well: bool) -> None:
    text = (TERRAFORM / "bootstrap/variables.tf").read_text()
    found = re.search(r'regex\("(.*?)", var\.github_repository\)', text)
    assert found
    assert bool(re.search(found[1], repository)) == bool(REPOSITORY.fullmatch(repository)) == well


def test_what_a_person_is_told_names_the_repository_without_its_numbers() -> None:
    assert name_of("octocat@1234/memories@5678") == name_of("octocat/memories") == "octocat/memories"
