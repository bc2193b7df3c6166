"""One account, and one apply in it, for all of these tests; they run in the order of their files, removal last."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from memories.tests.deployed.account import Account, Credentials, account
from memories.tests.deployed.deployment import APP, Deployment, bootstrap_of, main_of
from memories.tests.deployed.inventory import Thing, inventory
from memories.tests.deployed.terraform import Terraform


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not shutil.which("terraform"):
        pytest.fail("terraform is not on the PATH; script/test-deploy says what it takes.")
    return tmp_path_factory.mktemp("deployed")


@pytest.fixture(scope="session")
def an_account(work: Path) -> Iterator[Account]:
    with account(work) as made:
        yield made


@pytest.fixture(scope="session")
def empty(an_account: Account) -> set[Thing]:
    """What is in an account that nobody has used."""
    return inventory(an_account)


@pytest.fixture(scope="session")
def bootstrap(an_account: Account, work: Path, empty: set[Thing]) -> Iterator[Terraform]:
    """Applied, but for the minute that the provider waits for the lifecycle of the state: that passes meanwhile."""
    terraform = bootstrap_of(an_account, work / "bootstrap")
    terraform.begin("lifecycle_configuration.state: Still creating", "apply", "-auto-approve")
    yield terraform
    terraform.finish()


@pytest.fixture(scope="session")
def before_main(an_account: Account, bootstrap: Terraform) -> set[Thing]:
    return inventory(an_account)


@pytest.fixture(scope="session")
def github(an_account: Account, bootstrap: Terraform) -> Credentials:
    """The session of a deployment by GitHub. Whatever Terraform calls in it is written down (moto_account.py)."""
    return an_account.assume(f"{APP}-github-deploy")


@pytest.fixture(scope="session")
def main(
    an_account: Account, work: Path, bootstrap: Terraform, before_main: set[Thing], github: Credentials
) -> Terraform:
    """Initialized on the bucket that the bootstrap made."""
    return main_of(an_account, work / "main", github)


@pytest.fixture(scope="session")
def deployment(an_account: Account, main: Terraform) -> Deployment:
    """Applied."""
    main.apply()
    return Deployment(an_account, main, main.outputs())


@pytest.fixture
def say(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """For figures that whoever runs this wants to see."""

    def print_past_pytest(text: str) -> None:
        with capsys.disabled():
            request.config.get_terminal_writer().line(f"\n  {text}")

    return print_past_pytest
