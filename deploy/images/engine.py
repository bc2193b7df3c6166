"""Docker, Podman and Buildah, as far as we use them: one way to build, to save and to run."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
DOCKERFILES = {"api": "Dockerfile", "lambda": "Dockerfile.lambda"}  # of what is deployed
LOCAL = "local"  # the API and the worker once more, with Whisper in it: what compose.yaml runs

REVISION = "org.opencontainers.image.revision"  # the label that our Dockerfiles write the commit in


def tag_of(image: str) -> str:
    return f"memories:{image}"


@dataclass(frozen=True)
class Built:
    """What an image says of itself."""

    revision: str  # the commit, with a mark where the work tree was another; empty where it does not say
    architecture: str  # amd64 or arm64


@dataclass(frozen=True)
class Engine:
    name: str  # docker, podman or buildah: the program

    def call(self, *args: str) -> str:
        """What it prints. SystemExit with what it says where it fails."""
        done = subprocess.run([self.name, *args], capture_output=True, text=True)  # noqa: S603 (our own arguments)
        if done.returncode:
            raise SystemExit(f"{shlex.join([self.name, *args])} failed: {done.stderr.strip()[-2000:]}")
        return done.stdout.strip()

    def finds(self, reference: str) -> bool:
        """Whether a registry has it. SystemExit where it does not say."""
        asked = [self.name, "manifest", "inspect", reference]
        done = subprocess.run(asked, capture_output=True, text=True)  # noqa: S603 (our own arguments)
        if done.returncode and not re.search(r"no such manifest|manifest unknown|not found", done.stderr):
            raise SystemExit(f"{shlex.join(asked)} failed: {done.stderr.strip()[-2000:]}")
        return done.returncode == 0

    def build(self, image: str, *, platform: str, release: str) -> None:
        # Without the format, Podman and Buildah would drop the health check; Buildah alone keeps no layers by itself.
        own = {"podman": ["--format=docker"], "buildah": ["--format=docker", "--layers"]}.get(self.name, [])
        target = [f"--platform={platform}"] if platform else []
        more = ["--build-arg=REQUIREMENTS=requirements-local.txt"] if image == LOCAL else []
        dockerfile = DOCKERFILES.get(image, DOCKERFILES["api"])
        flags = [*own, *target, *more, *build_flags()]
        command = [self.name, "build", *flags, f"--build-arg=RELEASE={release}", "-t", tag_of(image)]
        done = subprocess.run([*command, "-f", dockerfile, "."], cwd=ROOT)  # noqa: S603
        if done.returncode:
            raise SystemExit(f"{dockerfile} does not build: see above.")

    def save(self, tag: str, path: Path) -> None:
        """As an archive of Docker's form, with its layers as they are before a registry compresses them."""
        if self.name == "buildah":
            self.call("push", "--quiet", tag, f"docker-archive:{path}:{tag}")
        else:
            self.call("save", *(["--format=docker-archive"] if self.name == "podman" else []), "-o", str(path), tag)

    def built(self, tag: str) -> Built:
        if self.name == "buildah":
            found = json.loads(self.call("inspect", "--type", "image", tag))["OCIv1"]
            architecture, config = found["architecture"], found["config"]
        else:
            found = self.inspect("image", tag)
            architecture, config = found["Architecture"], found["Config"]
        return Built((config.get("Labels") or {}).get(REVISION, ""), architecture)

    def inspect(self, kind: str, name: str) -> dict[str, Any]:
        found: list[dict[str, Any]] = json.loads(self.call(kind, "inspect", name))
        return found[0]


def build_flags() -> list[str]:
    """Those of BUILD_FLAGS, written as in a shell. SystemExit where they are not."""
    given = os.environ.get("BUILD_FLAGS", "")
    try:
        return shlex.split(given)
    except ValueError as error:
        raise SystemExit(f"BUILD_FLAGS is {given!r}, which no shell would take: {error}.") from None


def answers(name: str) -> bool:
    """Whether the program is there, and what it may need behind it: docker is often there without an engine."""
    return (
        shutil.which(name) is not None and subprocess.run([name, "info"], capture_output=True).returncode == 0  # noqa: S603
    )


def find(*names: str) -> Engine:
    """The first that answers, or the one of CONTAINER_ENGINE. SystemExit when there is none."""
    chosen = os.environ.get("CONTAINER_ENGINE")
    if chosen and chosen not in names:
        raise SystemExit(f"This takes {' or '.join(names)}, and CONTAINER_ENGINE={chosen} is none of them.")
    wanted: Sequence[str] = [chosen] if chosen else names
    for name in wanted:
        if answers(name):
            return Engine(name)
    raise SystemExit(
        f"This takes {' or '.join(names)}, and {' and '.join(wanted)} did not answer. "
        f"Install one (on Debian: apt-get install podman), or start its engine."
    )


def builder() -> Engine:
    return find("docker", "podman", "buildah")


def runner() -> Engine:
    return find("docker", "podman")
