"""The plans that the bill of the docs is computed from are those that Terraform makes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from deploy import bill
from deploy.usage import resources
from memories.tests.deployed.account import Account
from memories.tests.deployed.deployment import RELEASE, made_up_secrets
from memories.tests.deployed.terraform import Terraform, scratch_copy
from memories.tests.processes import ROOT

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(600)]

# The rows of docs/deployment.md.
WAYS = {
    "ec2": {},
    "ec2-classic": {"architecture": "x86_64", "instance_type": "t2.micro"},
    "lambda": {"api_runtime": "lambda"},
    "both": {"api_runtime": "both"},
    "gateway": {"api_runtime": "lambda", "nat": "gateway"},
}


@pytest.fixture(scope="module")
def terraform(an_account: Account, tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    """The configuration as it is, with an empty state of its own: it is planned, and never applied."""
    folder = scratch_copy(ROOT / "deploy", tmp_path_factory.mktemp("bill") / "deploy") / "terraform"
    (folder / "backend_override.tf").write_text('terraform {\n  backend "local" {}\n}\n')
    given = {"TF_VAR_alarm_email": "ops@example.org", "TF_VAR_image_tag": RELEASE}
    terraform = Terraform(folder, an_account.env | made_up_secrets() | given)
    terraform.init()
    return terraform


def test_each_row_of_the_bill_has_its_plan() -> None:
    assert bill.recorded().keys() == WAYS.keys()


@pytest.mark.parametrize("way", WAYS)
def test_what_is_recorded_is_what_terraform_plans(way: str, terraform: Terraform, tmp_path: Path) -> None:
    """Where it is not: `script/bill --plan plan.json --record deploy/plans/WAY.json`, with the plan that is named."""
    terraform.run("plan", "-no-color", "-out=bill.plan", *(f"-var={name}={value}" for name, value in WAYS[way].items()))
    plan = tmp_path / "plan.json"
    plan.write_text(terraform.run("show", "-json", "bill.plan").stdout)
    planned = bill.trimmed(resources(json.loads(plan.read_text())))
    assert planned == (bill.PLANS / f"{way}.json").read_text(), f"the plan: {plan}"
