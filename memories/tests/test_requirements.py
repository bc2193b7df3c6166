"""What the service is made of: nothing that it does not use, and nothing that requirements.txt does not bring."""

from __future__ import annotations

import re
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OFFLINE = (
    "memories/transcribers/whisper.py",
    *(f"memories/analyzers/{name}.py" for name in ("date_rules", "mood", "offline", "text", "words")),
    "memories/management/commands/transcribe.py",
)
# What no line of ours imports, and where it is used all the same.
USED_OTHERWISE = {
    "psycopg2-binary": "the engine of DATABASE_URL=postgres://",
    "gunicorn": "gunicorn.conf.py",
}


def normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def chosen() -> list[str]:
    lines = (ROOT / "requirements.in").read_text().splitlines()
    return [normalized(re.split(r"[~=\[ ]", line)[0]) for line in lines if line and not line.startswith("#")]


def locked() -> set[str]:
    names = re.findall(r"^([\w.-]+)==", (ROOT / "requirements.txt").read_text(), re.MULTILINE)
    return {normalized(name) for name in names}


@cache
def modules() -> dict[str, str]:
    """The distribution that brings each module; a module that several bring is named by one of them."""
    return {module: normalized(names[0]) for module, names in packages_distributions().items()}


@cache
def source(*, offline: bool) -> str:
    """Our own code and settings, with or without what only requirements-local.txt makes work."""
    paths = [path for folder in ("memories", "config") for path in (ROOT / folder).rglob("*.py")]
    named = {path: str(path.relative_to(ROOT)) for path in paths}
    ours = [path for path in paths if not named[path].startswith(("memories/tests/", *(() if offline else OFFLINE)))]
    return "\n".join(path.read_text() for path in ours)


@pytest.mark.parametrize("distribution", chosen())
def test_each_package_that_was_chosen_is_used(distribution: str) -> None:
    brings = [module for module, name in modules().items() if name == distribution]
    used = [module for module in brings if re.search(rf"(import |from |['\"]){module}\b", source(offline=True))]
    assert used or distribution in USED_OTHERWISE


def test_what_the_aws_shape_imports_comes_with_requirements_txt() -> None:
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", source(offline=False), re.MULTILINE))
    outside = {module: modules()[module] for module in imported if module in modules()}
    assert "django" in outside
    assert {name for name in outside.values() if name not in locked()} == set()
