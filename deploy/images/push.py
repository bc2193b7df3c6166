"""Puts the images where a release finds them: under their commit, and as the latest, which is for people only."""

from __future__ import annotations

import re

from deploy.images.engine import Engine, tag_of

COMMIT = re.compile(r"[0-9a-f]{40}")
REPOSITORY = re.compile(r"[a-z0-9][a-z0-9.:-]*/[a-z0-9][a-z0-9._/-]*")


def push(engine: Engine, images: list[str], repository: str, commit: str, platform: str = "") -> None:
    """SystemExit where it cannot be. The engine must be signed in (`aws ecr get-login-password | docker login …`).

    A commit that is there is left alone: two builds of it differ, and the one that loses its tag is soon deleted, be it
    the one that is live.
    """
    if not REPOSITORY.fullmatch(repository):
        raise SystemExit(
            f"{repository!r} is not a repository such as 123456789012.dkr.ecr.us-east-1.amazonaws.com/memories."
        )
    if not COMMIT.fullmatch(commit):
        raise SystemExit(
            f"Only a commit is pushed, and this work tree is {commit!r}: commit what is changed, and build again."
        )
    for image in images:  # all of them before the first tag: a release takes both or none
        check_built(engine, tag_of(image), commit, platform)
    for image in images:
        if engine.finds(f"{repository}:{image}-{commit}"):
            print(f"{repository}:{image}-{commit} is there already, and stays", flush=True)
            continue
        for tag in (f"{image}-{commit}", f"{image}-latest"):
            engine.call("tag", tag_of(image), f"{repository}:{tag}")
            engine.call("push", f"{repository}:{tag}")
            print(f"pushed {repository}:{tag}", flush=True)


def check_built(engine: Engine, tag: str, commit: str, platform: str) -> None:
    """SystemExit for an image of something else: an older one lies around under the same name."""
    built = engine.built(tag)
    again = f"Next: script/images build{f' --platform {platform}' if platform else ''}"
    if built.revision != commit:
        raise SystemExit(f"{tag} was built of {built.revision or 'an unknown commit'}, not of {commit}.\n{again}")
    if platform and f"linux/{built.architecture}" != platform:
        raise SystemExit(f"{tag} was built for linux/{built.architecture}, not for {platform}.\n{again}")
