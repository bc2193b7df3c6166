"""What Terraform made, by its names, and the secrets that it was given."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memories.tests.aws import REGION
from memories.tests.deployed.account import Account, Credentials
from memories.tests.deployed.terraform import Terraform, scratch_copy
from memories.tests.processes import ROOT

OVERRIDES = Path(__file__).with_name("moto_override.tf")
APP = "memories"
ACCOUNT = "123456789012"  # moto's
STATE_BUCKET = f"{APP}-terraform-{ACCOUNT}"
REPOSITORY = "someone@1234/memories@5678"
RELEASE = "0123456789abcdef0123456789abcdef01234567"
HOST = "memories.example.org"
SETTINGS = {
    "TF_VAR_image_tag": RELEASE,
    "TF_VAR_api_runtime": "both",
    "TF_VAR_domain_name": HOST,
    "TF_VAR_alarm_email": "ops@example.org",
    "TF_VAR_openai_base_url": "https://llm.example.org/v1",
    "TF_VAR_audio_force_destroy": "true",
}


def made_up_secrets() -> dict[str, str]:
    """No two runs have the same, so that none is found by chance."""
    names = ("db_password", "django_secret_key", "openai_api_key")
    return {f"TF_VAR_{name}": f"{name.replace('_', '-')}-{secrets.token_hex(24)}" for name in names}


@dataclass(frozen=True)
class Deployment:
    account: Account
    terraform: Terraform
    outputs: dict[str, Any]

    def role(self, name: str) -> str:
        return f"{APP}-{name}"

    def function_environment(self, name: str) -> dict[str, str]:
        """What AWS gives to the code of a function."""
        found = self.account.client("lambda").get_function_configuration(FunctionName=self.role(name))
        variables: dict[str, str] = found["Environment"]["Variables"]
        return variables

    def api_environment(self) -> dict[str, str]:
        """What the API's container on the machine is started with."""
        name = f"/{APP}/api/environment"
        lines = self.account.client("ssm").get_parameter(Name=name)["Parameter"]["Value"].splitlines()
        return dict(line.split("=", 1) for line in lines)

    def write_secret(self, name: str, value: str) -> None:
        self.account.client("ssm").put_parameter(
            Name=f"{self.outputs['secrets_path']}/{name}", Value=value, Type="SecureString", Overwrite=True
        )


def bootstrap_of(account: Account, folder: Path) -> Terraform:
    """The configuration of bootstrap/, ready to be applied."""
    scratch_copy(ROOT / "deploy", folder)
    terraform = Terraform(
        folder / "terraform" / "bootstrap",
        account.env | {"TF_VAR_github_repository": REPOSITORY, "TF_VAR_app_name": APP},
    )
    terraform.init()
    return terraform


def main_of(account: Account, folder: Path, session: Credentials) -> Terraform:
    """The main configuration, ready to be planned, with overrides for moto and its state in the bucket."""
    scratch_copy(ROOT / "deploy", folder)
    configuration = folder / "terraform"
    (configuration / OVERRIDES.name).write_bytes(OVERRIDES.read_bytes())
    terraform = Terraform(configuration, account.env | session.env | SETTINGS | made_up_secrets())
    terraform.init(bucket=STATE_BUCKET, region=REGION)
    return terraform
