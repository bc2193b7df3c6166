"""Terraform in a scratch copy of a configuration, against an account on this machine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from memories.tests.processes import ROOT

SOURCE = ROOT / "deploy" / "terraform"
GENERATED = shutil.ignore_patterns(".terraform", "*.tfstate*", "*.tfvars", "tests")


class TerraformError(Exception):
    """It ended with another status than was wanted: all that it printed."""


class Terraform:
    """One configuration. `said` has all that it ever printed, `seconds` what each command took."""

    def __init__(self, folder: Path, env: Mapping[str, str]) -> None:
        self.folder = folder
        self.env = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "TF_"))}
        self.env |= {"TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1", **env}
        self.said = ""
        self.seconds: dict[str, float] = {}
        self.under_way: subprocess.Popen[str] | None = None

    def run(self, command: str, *arguments: str, statuses: tuple[int, ...] = (0,)) -> subprocess.CompletedProcess[str]:
        assert self.finish() == 0
        began = time.monotonic()
        done = subprocess.run(
            ["terraform", command, *arguments],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.seconds[command] = time.monotonic() - began
        self.said += done.stdout
        if done.returncode not in statuses:
            raise TerraformError(f"terraform {command} ended with {done.returncode}:\n{done.stdout}")
        return done

    def init(self, **backend: str) -> None:
        """From the mirror of providers that TF_PLUGIN_DIR names; without one, from the registry."""
        mirror = os.environ.get("TF_PLUGIN_DIR")
        source = [f"-plugin-dir={mirror}"] if mirror else []
        self.run("init", "-no-color", *source, *(f"-backend-config={key}={value}" for key, value in backend.items()))

    def apply(self, *arguments: str) -> None:
        """As a release does it: what is planned is saved, and this plan is applied."""
        self.run("plan", "-no-color", "-out=saved.plan", *arguments)
        self.run("apply", "-no-color", "saved.plan")

    def destroy(self) -> None:
        self.run("destroy", "-no-color", "-auto-approve")

    def drift(self) -> str:
        """What a plan would change; empty: nothing."""
        done = self.run("plan", "-no-color", "-detailed-exitcode", statuses=(0, 2))
        return done.stdout.partition("Terraform will perform the following actions:")[2] if done.returncode else ""

    def outputs(self) -> dict[str, Any]:
        return {name: output["value"] for name, output in json.loads(self.run("output", "-json").stdout).items()}

    def resources(self) -> list[str]:
        """The addresses of what it manages."""
        return [line for line in self.run("state", "list").stdout.splitlines() if not line.startswith("data.")]

    def begin(self, sign: str, command: str, *arguments: str) -> subprocess.Popen[str]:
        """Return as soon as it prints `sign`. The next command waits until it has ended."""
        self.under_way = subprocess.Popen(
            ["terraform", command, "-no-color", *arguments],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert self.under_way.stdout is not None
        for line in self.under_way.stdout:
            self.said += line
            if sign in line:
                break
        return self.under_way

    def finish(self) -> int:
        """Wait for what was begun: the status that it ended with."""
        process, self.under_way = self.under_way, None
        if process is None:
            return 0
        self.said += process.communicate()[0]
        return process.returncode

    def cut_short(self, sign: str, how: signal.Signals, command: str, *arguments: str) -> int:
        """Send it a signal as soon as it prints `sign`: the status that it ends with."""
        self.begin(sign, command, *arguments).send_signal(how)
        return self.finish()


def scratch_copy(source: Path, folder: Path, *overrides: Path) -> Path:
    """A copy that init may write into, with overrides for what the stand-in of AWS cannot do."""
    shutil.copytree(source, folder, ignore=GENERATED)
    for override in overrides:
        shutil.copy(override, folder)
    return folder
