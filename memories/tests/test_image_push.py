"""script/images push, with a docker that only writes down what it is told."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from deploy.images.engine import Engine
from deploy.images.push import push

ROOT = Path(__file__).parents[2]
COMMIT = "3f2c" * 10
REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/memories"

DOCKER = """#!/bin/sh
if [ "$1" = manifest ]; then
  [ ! -e {folder}/closed ] || {{ echo unauthorized >&2; exit 1; }}
  grep -qxF "$3" {folder}/there || {{ echo "no such manifest: $3" >&2; exit 1; }}
  exit
fi
if [ "$1 $2" = "image inspect" ]; then
  cat {folder}/image-"$3" 2>/dev/null || {{ echo "No such image: $3" >&2; exit 1; }}
  exit
fi
echo "$*" >>{folder}/told
! grep -qxF "$*" {folder}/refused
"""


def lies_there(folder: Path, image: str, revision: str | None) -> None:
    labels = {"org.opencontainers.image.revision": revision} if revision else None
    (folder / f"image-{image}").write_text(json.dumps([{"Architecture": "arm64", "Config": {"Labels": labels}}]))


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What docker was told to do, a line for each call. It refuses a line that is in `refused` beside it, and finds in
    the registry what is in `there`."""
    program = tmp_path / "docker"
    program.write_text(DOCKER.format(folder=tmp_path))
    program.chmod(0o755)
    for image in ("memories:api", "memories:lambda"):
        lies_there(tmp_path, image, COMMIT)
    (tmp_path / "there").touch()
    (tmp_path / "told").touch()
    (tmp_path / "refused").touch()
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    return tmp_path / "told"


def test_each_image_is_pushed_under_its_commit_and_as_the_latest(told: Path) -> None:
    push(Engine("docker"), ["api", "lambda"], REPOSITORY, COMMIT)
    assert told.read_text().splitlines() == [
        f"tag memories:api {REPOSITORY}:api-{COMMIT}",
        f"push {REPOSITORY}:api-{COMMIT}",
        f"tag memories:api {REPOSITORY}:api-latest",
        f"push {REPOSITORY}:api-latest",
        f"tag memories:lambda {REPOSITORY}:lambda-{COMMIT}",
        f"push {REPOSITORY}:lambda-{COMMIT}",
        f"tag memories:lambda {REPOSITORY}:lambda-latest",
        f"push {REPOSITORY}:lambda-latest",
    ]


def test_a_push_that_is_refused_ends_it_before_the_latest_is_another(told: Path) -> None:
    (told.parent / "refused").write_text(f"push {REPOSITORY}:api-{COMMIT}\n")
    with pytest.raises(SystemExit, match=r"docker push .* failed"):
        push(Engine("docker"), ["api", "lambda"], REPOSITORY, COMMIT)
    assert told.read_text().splitlines()[-1] == f"push {REPOSITORY}:api-{COMMIT}"


def test_a_commit_that_was_pushed_stays_as_it_is(told: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A workflow that is run again builds anew: the tag would go to another image, and the live one be deleted."""
    (told.parent / "there").write_text(f"{REPOSITORY}:api-{COMMIT}\n")
    push(Engine("docker"), ["api", "lambda"], REPOSITORY, COMMIT)
    assert f"{REPOSITORY}:api-{COMMIT} is there already" in capsys.readouterr().out
    assert [line for line in told.read_text().splitlines() if "api" in line] == []
    assert f"push {REPOSITORY}:lambda-{COMMIT}" in told.read_text().splitlines()


def test_a_registry_that_does_not_say_what_it_has_gets_nothing(told: Path) -> None:
    (told.parent / "closed").touch()
    with pytest.raises(SystemExit, match="unauthorized"):
        push(Engine("docker"), ["api"], REPOSITORY, COMMIT)
    assert told.read_text() == ""


@pytest.mark.parametrize("revision", ["14d0" * 10, f"{COMMIT}-dirty", None])
def test_images_of_another_commit_are_not_pushed_under_this_one(revision: str | None, told: Path) -> None:
    lies_there(told.parent, "memories:lambda", revision)
    of = revision or "an unknown commit"
    with pytest.raises(
        SystemExit, match=f"memories:lambda was built of {of}, not of {COMMIT}.\nNext: script/images build"
    ):
        push(Engine("docker"), ["api", "lambda"], REPOSITORY, COMMIT)
    assert told.read_text() == "", "nor is the other one"


def test_an_image_that_was_never_built_is_missed_before_the_first_push(told: Path) -> None:
    (told.parent / "image-memories:lambda").unlink()
    with pytest.raises(SystemExit, match="No such image: memories:lambda"):
        push(Engine("docker"), ["api", "lambda"], REPOSITORY, COMMIT)
    assert told.read_text() == ""


def test_images_for_another_machine_are_not_pushed(told: Path) -> None:
    push(Engine("docker"), ["api"], REPOSITORY, COMMIT, "linux/arm64")
    told.write_text("")
    with pytest.raises(SystemExit, match="memories:api was built for linux/arm64, not for linux/amd64"):
        push(Engine("docker"), ["api"], REPOSITORY, COMMIT, "linux/amd64")
    assert told.read_text() == ""


@pytest.mark.parametrize("commit", ["", "3f2c", f"{COMMIT}-dirty", "latest"])
def test_only_a_commit_is_pushed(commit: str, told: Path) -> None:
    with pytest.raises(SystemExit, match="Only a commit is pushed"):
        push(Engine("docker"), ["api"], REPOSITORY, commit)
    assert told.read_text() == ""


@pytest.mark.parametrize("repository", ["memories", "/memories", "https://example.org/memories", "a/b:latest", "a/b c"])
def test_a_repository_that_is_none_is_refused(repository: str, told: Path) -> None:
    with pytest.raises(SystemExit, match="is not a repository such as"):
        push(Engine("docker"), ["api"], repository, COMMIT)
    assert told.read_text() == ""


@pytest.mark.parametrize("arguments", [["push"], ["build", "--to", REPOSITORY]])
def test_a_push_says_where_to_and_nothing_else_does(arguments: list[str], told: Path) -> None:
    done = subprocess.run([ROOT / "script/images", *arguments], capture_output=True, text=True)
    assert (done.returncode, "--to says where to push" in done.stderr) == (2, True)
    assert told.read_text() == ""
