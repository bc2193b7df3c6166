"""That compose.yaml is shown to Docker Compose, here by a docker that only writes down what it is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from deploy.images import compose


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """It refuses what stands in `refused`."""
    program = tmp_path / "docker"
    program.write_text(f'#!/bin/sh\necho "$*" >>{tmp_path}/asked\n! grep -qxF "$*" {tmp_path}/refused 2>/dev/null\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.delenv("GITHUB_ACTIONS", raising=False)
    return tmp_path


def test_each_profile_and_the_variant_on_aws_is_shown_to_docker_compose(docker: Path) -> None:
    assert compose.check()
    asked = (docker / "asked").read_text().splitlines()
    assert asked[0] == "compose version"
    assert set(asked[1:]) == {
        "compose config --quiet",
        "compose --profile aws config --quiet",
        "compose --profile lambda config --quiet",
        "compose --profile redis config --quiet",
        "compose --env-file deploy/local/aws.env config --quiet",
    }


def test_one_that_is_not_taken_is_a_failure(docker: Path) -> None:
    (docker / "refused").write_text("compose --profile lambda config --quiet\n")
    assert not compose.check()


@pytest.mark.parametrize(("on_github", "well"), [("", True), ("true", False)])
def test_without_docker_compose_it_is_left_out_but_not_on_github(
    docker: Path, monkeypatch: pytest.MonkeyPatch, on_github: str, well: bool
) -> None:
    monkeypatch.setenv("GITHUB_ACTIONS", on_github)
    (docker / "refused").write_text("compose version\n")
    assert compose.check() is well
