"""compose.yaml as arguments of `docker run` or `podman run`: the smoke test runs what developers run."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

import yaml

from deploy.images.engine import ROOT

FLAGS = {
    "user": "--user",
    "mem_limit": "--memory",
    "pids_limit": "--pids-limit",
    "cap_drop": "--cap-drop",
    "security_opt": "--security-opt",
    "tmpfs": "--tmpfs",
    "volumes": "--volume",
}
ELSEWHERE = {"image", "build", "command", "environment", "profiles", "depends_on", "ports", "stop_grace_period"}


@dataclass(frozen=True)
class Service:
    """What is not in `flags`: the image is the caller's, and so is the network."""

    flags: list[str]
    command: list[str]
    environment: dict[str, str]
    grace: int  # seconds to end


def interpolated(value: Any, environment: dict[str, str]) -> Any:
    """${NAME:-default}, the one form that the file uses, in all that is text."""
    match value:
        case str():
            return re.sub(r"\$\{(\w+):-([^}]*)\}", lambda found: environment.get(found[1]) or found[2], value)
        case list():
            return [interpolated(item, environment) for item in value]
        case dict():
            return {key: interpolated(item, environment) for key, item in value.items()}
    return value


def load(text: str, environment: dict[str, str]) -> dict[str, Any]:
    """The services, as the file has them in this environment."""
    services: dict[str, Any] = interpolated(yaml.safe_load(text)["services"], environment)
    return services


def arguments(key: str, value: Any) -> list[str]:
    """ValueError for what we do not know: the containers would be others than the file says."""
    match key, value:
        case "read_only", bool():
            return ["--read-only"] if value else []
        case "healthcheck", {"disable": True}:
            return ["--no-healthcheck"]
        case str(), _ if key in FLAGS:
            items = value if isinstance(value, list) else [value]
            return [part for item in items for part in (FLAGS[key], str(item).replace("./", f"{ROOT}/", 1))]
        case str(), _ if key in ELSEWHERE:
            return []
    raise ValueError(f"compose.yaml has {key}: {value}, which deploy/images/compose.py cannot run.")


def service(definition: dict[str, Any]) -> Service:
    return Service(
        flags=[part for key, value in definition.items() for part in arguments(key, value)],
        command=definition.get("command", []),
        environment={name: str(value) for name, value in definition.get("environment", {}).items()},
        grace=int(str(definition.get("stop_grace_period", "10s")).removesuffix("s")),
    )


def variants() -> list[list[str]]:
    """Arguments of `docker compose` that each make another whole of the file."""
    definitions = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"].values()
    profiles = sorted({profile for definition in definitions for profile in definition.get("profiles", [])})
    return [[], *(["--profile", profile] for profile in profiles), ["--env-file", "deploy/local/aws.env"]]


def check() -> bool:
    """Whether Docker Compose takes the file. Where there is none, only GitHub's machine is at fault: it has one."""
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:  # noqa: S607
        print("docker compose is not there: compose.yaml was not shown to it")
        return os.environ.get("GITHUB_ACTIONS") != "true"
    well = True
    for variant in variants():
        command = ["docker", "compose", *variant, "config", "--quiet"]
        taken = subprocess.run(command, cwd=ROOT).returncode == 0  # noqa: S603 (our own arguments)
        print(f"{'ok    ' if taken else 'FAILED'} {shlex.join(command)}", flush=True)
        well &= taken
    return well


def services() -> dict[str, Any]:
    return load((ROOT / "compose.yaml").read_text(), dict(os.environ))
