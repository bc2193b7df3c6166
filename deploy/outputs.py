"""What Terraform made: its outputs, as `terraform output -json` tells them."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass, fields
from pathlib import Path

from deploy.console import DeployError
from deploy.terraform_cli import MAIN, check_installed

INIT = (
    'terraform -chdir=deploy/terraform init -backend-config="bucket=$TF_STATE_BUCKET" '
    '-backend-config="region=$AWS_REGION", which tells it where the state is, and then again.'
)
APPLY = "script/deploy-plan and script/deploy-apply, in the same job or folder as this."


@dataclass(frozen=True)
class Outputs:
    """Those that a release needs. None: there is no such thing with this api_runtime."""

    app_name: str
    region: str
    repository_url: str
    worker_function_name: str
    clock_function_name: str
    api_function_name: str | None
    instance_id: str | None
    roll_document_name: str | None
    release_parameter_name: str
    api_url: str
    function_url: str | None

    @property
    def addresses(self) -> list[str]:
        """Each public address once, without a slash at the end."""
        found = [url.rstrip("/") for url in (self.api_url, self.function_url) if url]
        return list(dict.fromkeys(found))


def read(path: Path | None) -> Outputs:
    """From a file, or from Terraform, which script/deploy-plan has told where its state is."""
    text = _read_file(path) if path else _ask_terraform()
    try:
        values = {name: output["value"] for name, output in json.loads(text).items()}
    except (ValueError, TypeError, KeyError, AttributeError):
        raise DeployError("These are not Terraform's outputs.", APPLY) from None
    # Terraform leaves out what is null.
    missing = [field.name for field in fields(Outputs) if field.type == "str" and not values.get(field.name)]
    if missing:
        raise DeployError(f"Terraform's outputs have no {', '.join(missing)}.", APPLY)
    return Outputs(**{field.name: values.get(field.name) for field in fields(Outputs)})  # type: ignore[arg-type]


def _read_file(path: Path) -> str:
    try:
        return path.read_text()
    except OSError as error:
        raise DeployError(
            f"{path} cannot be read: {error.strerror}.",
            "terraform -chdir=deploy/terraform output -json > FILE, and --outputs FILE; or leave --outputs out.",
        ) from None


def _ask_terraform() -> str:
    check_installed()
    command = ["terraform", f"-chdir={MAIN}", "output", "-json", "-no-color"]
    asked = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 (no shell)
    if re.search(r"Backend initialization required|terraform init", asked.stderr):
        raise DeployError("Terraform has not been told in this folder where its state is.", INIT)
    if asked.returncode or asked.stdout.strip() in ("", "{}"):
        errors = asked.stderr[asked.stderr.find("Error: ") :] if "Error: " in asked.stderr else ""  # no warnings
        raise DeployError(f"Terraform has no outputs to tell. {errors.strip()}".strip(), APPLY)
    return asked.stdout
