"""deploy/run in a fresh clone, with a Python that has no boto3 and is only played."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from memories.tests.processes import ROOT

# What it is asked with -c is its version, and whether it has boto3.
PYTHON = """#!/bin/sh
case "$1 $2" in
  -c*boto3*) exit 1 ;;
  -c*) exit {old} ;;
  "-m venv")
    mkdir -p "$3/bin"
    printf '#!/bin/sh\\nexit {broken}\\n' >"$3/bin/pip"
    printf '#!/bin/sh\\necho "$@"\\n' >"$3/bin/python"
    chmod +x "$3/bin/pip" "$3/bin/python"
    ;;
esac
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    for name in ("deploy/run", "requirements.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def run(clone: Path, *, old: int = 0, broken: int = 0) -> subprocess.CompletedProcess[str]:
    programs = clone / "programs"
    programs.mkdir(exist_ok=True)
    for name in ("python3", "python3.11", "python3.12", "python3.13"):
        (programs / name).write_text(PYTHON.format(old=old, broken=broken))
        (programs / name).chmod(0o755)
    env = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}"}
    return subprocess.run([clone / "deploy/run", "release", "--dry-run"], env=env, capture_output=True, text=True)


def test_a_fresh_clone_gets_an_environment_of_its_own(clone: Path) -> None:
    done = run(clone)
    assert (done.returncode, done.stdout) == (0, "-P -m deploy.release --dry-run\n"), done.stderr
    assert "boto3==" in (clone / ".venv-deploy/requirements.txt").read_text()


def test_an_installation_that_fails_says_so_leaves_nothing_and_may_be_run_again(clone: Path) -> None:
    failed = run(clone, broken=1)
    assert failed.returncode == 1
    assert "FAILED: boto3 could not be installed" in failed.stderr
    assert "\nNext: " in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (clone / ".venv-deploy").exists()
    assert run(clone).returncode == 0


def test_a_python_that_is_too_old_is_not_taken(clone: Path) -> None:
    refused = run(clone, old=1)
    assert refused.returncode == 1
    assert "FAILED: Python 3.11 or later is needed" in refused.stderr
    assert not (clone / ".venv-deploy").exists()
