"""script/images: see there."""

from __future__ import annotations

import argparse
import platform
import subprocess
import sys

from deploy.images import compose, size, wheels
from deploy.images.engine import DOCKERFILES, LOCAL, ROOT, builder, runner
from deploy.images.push import push

COMMANDS = ("build", "size", "smoke", "wheels", "all", "push")
ABOUT = "Builds, weighs and tries the images, with docker, podman or buildah, whichever is there."
ENVIRONMENT = (
    "BUILD_FLAGS goes to each build as it is: a proxy, a certificate, a cache. "
    "CONTAINER_ENGINE chooses one of the three."
)
MACHINES = {"x86_64": "linux/amd64", "amd64": "linux/amd64", "aarch64": "linux/arm64", "arm64": "linux/arm64"}


def release() -> str:
    """The commit that is built; with a mark where the work tree is another."""
    asked = ["git", "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"]
    return subprocess.run(asked, cwd=ROOT, capture_output=True, text=True).stdout.strip()  # noqa: S603


def smoke(images: list[str]) -> None:
    from deploy.images import smoke  # it needs what tests need

    smoke.run(runner(), images)


def main() -> int:
    parser = argparse.ArgumentParser(prog="script/images", description=ABOUT, epilog=ENVIRONMENT)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("image", nargs="?", choices=[*DOCKERFILES, LOCAL])
    parser.add_argument("--platform", default="", choices=sorted(set(MACHINES.values())))
    parser.add_argument("--to", metavar="REPOSITORY", help="where to push: REGISTRY/NAME")
    given = parser.parse_intermixed_args()
    images = [given.image] if given.image else list(DOCKERFILES)
    foreign = given.platform not in ("", MACHINES.get(platform.machine()))
    if foreign and given.command == "smoke":
        parser.error(f"an image for {given.platform} does not run here; build and size do.")
    if (given.command == "push") != bool(given.to):
        parser.error("--to says where to push, and push needs it.")
    if given.command == "push" and given.image == LOCAL:
        parser.error("the local image is for one machine: nothing is deployed of it.")
    well = True
    if given.command in ("wheels", "all"):
        well = wheels.check() and (given.command != "all" or compose.check())
    if given.command in ("build", "all"):
        for image in images:
            builder().build(image, platform=given.platform, release=release())
    if given.command in ("size", "all"):
        well &= size.weigh(builder(), images)
    if given.command == "smoke" or (given.command == "all" and not foreign):
        smoke(images)
    if given.command == "push":
        push(builder(), images, given.to, release(), given.platform)
    return 0 if well else 1


if __name__ == "__main__":
    sys.exit(main())
