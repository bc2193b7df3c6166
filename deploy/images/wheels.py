"""Whether the packages of both images have wheels for both architectures: what an image of the other one is made of."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from deploy.images.engine import ROOT

UV = Path(sys.executable).with_name("uv")
FILES = ("requirements.txt", "requirements-lambda.txt")
# Debian 12 has glibc 2.36; the oldest that a wheel of ours asks for is 2.28.
PLATFORMS = {"linux/amd64": "x86_64-manylinux_2_28", "linux/arm64": "aarch64-manylinux_2_28"}


def missing(platform: str, *files: Path) -> str:
    """What uv says is missing; empty when each hash-checked package has a wheel. Downloads nothing but the index."""
    chosen = [argument for file in files for argument in ("-r", str(file))]
    with TemporaryDirectory(prefix="memories-wheels-") as folder:
        done = subprocess.run(  # noqa: S603 (our own arguments)
            [
                *(UV, "pip", "install", "--dry-run", "--no-deps", "--require-hashes", "--only-binary", ":all:"),
                *("--python-version", "3.11", "--python-platform", PLATFORMS[platform], "--target", folder, *chosen),
            ],
            capture_output=True,
            text=True,
        )
    return done.stderr.strip() if done.returncode else ""


def check() -> bool:
    """Prints what each platform lacks; whether none does."""
    found = {platform: missing(platform, *(ROOT / name for name in FILES)) for platform in PLATFORMS}
    for platform, lack in found.items():
        print(f"{platform}: {lack or 'a wheel for each package'}")
    return not any(found.values())
