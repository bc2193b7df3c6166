"""What one destroy, and that of the bootstrap, leave of it: nothing."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memories.tests.deployed.account import Account, Credentials
from memories.tests.deployed.deployment import APP, Deployment
from memories.tests.deployed.inventory import Thing, inventory
from memories.tests.deployed.policies import principal
from memories.tests.deployed.terraform import Terraform

pytestmark = [pytest.mark.deploy, pytest.mark.timeout(600)]

MISNAMED = {"sts:GetCallerIdentity"}  # nobody needs a right for it


def test_a_destroy_leaves_what_the_bootstrap_made(
    deployment: Deployment,
    before_main: set[Thing],
    say: Callable[[str], None],
) -> None:
    deployment.terraform.destroy()
    say(f"destroyed in {deployment.terraform.seconds['destroy']:.0f} s")
    assert deployment.terraform.resources() == []
    assert inventory(deployment.account) - before_main == set()


def test_all_that_terraform_has_called_is_allowed_to_github(
    deployment: Deployment, github: Credentials, say: Callable[[str], None]
) -> None:
    """From the first plan to the destroy. Where moto knows no resource, the right is to hold on some resource."""
    deployer = principal(deployment.account, f"{APP}-github-deploy")
    made = {right for right in deployment.account.calls(github) if right.action not in MISNAMED}
    say(f"{len({right.action for right in made})} actions of AWS were taken as {APP}-github-deploy")
    assert {right for right in made if not deployer.could(right)} == set()


def test_the_destroy_of_the_bootstrap_leaves_an_empty_account(
    an_account: Account, bootstrap: Terraform, empty: set[Thing], deployment: Deployment
) -> None:
    bootstrap.env["TF_VAR_state_force_destroy"] = "true"
    bootstrap.run("apply", "-no-color", "-auto-approve", "-target=aws_s3_bucket.state")
    bootstrap.destroy()
    assert inventory(an_account) - empty == set()
