"""The environment is said in many places; what sets variables, explains them and reads them agrees on their names."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *(ROOT / "docs").rglob("*.md")]

# What is set for somebody else than the settings: for whom.
OTHERS = {
    "AWS_ACCESS_KEY_ID": "boto3",
    "AWS_SECRET_ACCESS_KEY": "boto3",
    "AWS_LAMBDA_RUNTIME_API": "awslambdaric",
    "COMPOSE_PROFILES": "docker compose",
    "GUNICORN_CMD_ARGS": "gunicorn",
    "SECRETS_VERSION": "nobody: another value makes new processes, and they read their secrets",
    "PORT": "gunicorn and config/healthcheck.py",
    "PATH": "the shell",
    "PYTHONDONTWRITEBYTECODE": "Python",
    "PYTHONPYCACHEPREFIX": "Python",
    "PYTHONUNBUFFERED": "Python",
    "POSTGRES_DB": "the image of PostgreSQL",
    "POSTGRES_PASSWORD": "the image of PostgreSQL",
    "POSTGRES_USER": "the image of PostgreSQL",
    "MOTO_PORT": "moto",
}
# What only people, workflows and script/* set: said in documents, read by no process of the service.
TOOLS = {
    "APP_NAME": "script/deploy-*",
    "AWS_PROFILE": "the AWS CLI, boto3 and Terraform",
    "DJANGO_SUPERUSER_PASSWORD": "manage.py createsuperuser",
    "IMAGE_TAG": "script/deploy-*",
    "TF_STATE_BUCKET": "script/deploy-*",
}
# Names in documents that look like variables of ours.
OURS = re.compile(
    r"\b(?:AUDIO|AWS|DATABASE|DJANGO|MAX|MEMORIES|OPENAI|REDIS|SQS|TF|WHISPER)_[A-Z][A-Z_]*[A-Z]\b(?![a-z_*…(=]*_)"
)


def read_by(settings: str) -> set[str]:
    """The variables that a settings module reads: `env.str("NAME", …)`."""
    calls = [node for node in ast.walk(ast.parse(settings)) if isinstance(node, ast.Call)]
    return {
        argument.value
        for call in calls
        if isinstance(call.func, ast.Attribute)
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id == "env"
        for argument in call.args[:1]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
    }


def assigned_by(settings: str) -> set[str]:
    """Django's own settings, which documents name too."""
    targets = [
        target
        for node in ast.parse(settings).body
        for target in (node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)])
    ]
    return {target.id for target in targets if isinstance(target, ast.Name)}


def needed_in_production(settings: str) -> set[str]:
    """The names that FALLBACKS goes through."""
    for node in ast.walk(ast.parse(settings)):
        if isinstance(node, ast.Assign) and any(
            isinstance(to, ast.Name) and to.id == "FALLBACKS" for to in node.targets
        ):
            constants = [each.value for each in ast.walk(node.value) if isinstance(each, ast.Constant)]
            return {value for value in constants if isinstance(value, str)}
    return set()


def listed_in(example: str) -> set[str]:
    return set(re.findall(r"^#?([A-Z][A-Z0-9_]*)=", example, re.MULTILINE))


def marked_in(example: str) -> set[str]:
    """Those that follow a comment with a star."""
    marked = set[str]()
    for comment, variables in re.findall(r"((?:^# .*\n)+)((?:^#?[A-Z][A-Z0-9_]*=.*\n)+)", example, re.MULTILINE):
        if re.search(r"^# \* ", comment, re.MULTILINE):
            marked |= listed_in(variables)
    return marked


def set_by_terraform(text: str) -> set[str]:
    """The keys in capitals: only environments and the parameters with the secrets have such."""
    code = re.sub(r"(?m)(^|\s)(#|//).*$", "", text)
    return set(re.findall(r"(?m)(?:^|[{,])\s*([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)\s*=(?!=)", code))


def set_by_dockerfile(text: str) -> set[str]:
    """Of every stage, the lines of ENV that go on included."""
    lines = re.findall(r"^ENV\s+(.*)$", re.sub(r"\\\n", " ", text), re.MULTILINE)
    return {name for line in lines for name in re.findall(r"(?:^|\s)([A-Z][A-Z0-9_]*)=", line)}


def set_by_compose(text: str) -> set[str]:
    names: set[str] = set()
    for service in yaml.safe_load(text)["services"].values():
        environment = service.get("environment", {})
        names |= {str(item).partition("=")[0] for item in environment}
    return names


def set_by_script(text: str) -> set[str]:
    """What a container is started with: `--env NAME=…`."""
    return set(re.findall(r"--env[ =]\"?([A-Z][A-Z0-9_]*)=", text))


def named_in(document: str) -> set[str]:
    return set(OURS.findall(document))


SETTINGS = (ROOT / "config/settings.py").read_text()
READ = read_by(SETTINGS)
# Each place that sets variables for a process of ours: how it is read, and where it lies.
PLACES: dict[str, tuple[Callable[[str], set[str]], list[Path]]] = {
    "Terraform": (set_by_terraform, sorted((ROOT / "deploy/terraform").glob("*.tf"))),
    "images": (set_by_dockerfile, sorted(ROOT.glob("Dockerfile*"))),
    "compose": (set_by_compose, sorted(ROOT.glob("compose*.yaml"))),
    "files for compose": (listed_in, sorted((ROOT / "deploy/local").glob("*.env"))),
    "the API's machine": (set_by_script, sorted((ROOT / "deploy/host").iterdir())),
}


def set_in(place: str) -> set[str]:
    read, paths = PLACES[place]
    return set[str]().union(*(read(path.read_text()) for path in paths))


def test_each_variable_that_the_settings_read_is_in_the_example_and_none_else() -> None:
    assert listed_in((ROOT / ".env.example").read_text()) == READ


def test_the_example_marks_what_production_needs() -> None:
    assert needed_in_production(SETTINGS) - marked_in((ROOT / ".env.example").read_text()) == set()


@pytest.mark.parametrize("place", PLACES)
def test_nobody_sets_a_variable_that_the_settings_do_not_read(place: str) -> None:
    assert PLACES[place][1] != []
    assert set_in(place) - READ - OTHERS.keys() == set()


def test_nothing_is_allowed_that_nobody_sets() -> None:
    """Else the list of exceptions would go on hiding what once was there."""
    used = set[str]().union(*(set_in(place) for place in PLACES))
    assert OTHERS.keys() - used - {name for path in DOCUMENTS for name in named_in(path.read_text())} == set()


def test_terraform_sets_what_production_needs() -> None:
    assert needed_in_production(SETTINGS) - set_in("Terraform") == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_each_variable_in_a_document_exists(path: Path) -> None:
    known = READ | assigned_by(SETTINGS) | OTHERS.keys() | TOOLS.keys() | set_in_github()
    assert named_in(path.read_text()) - known == set()


def set_in_github() -> set[str]:
    """The variables and secrets that the workflows ask a person for."""
    workflows = [path.read_text() for path in (ROOT / ".github/workflows").glob("*.yml")]
    return {name for text in workflows for name in re.findall(r"\b(?:vars|secrets)\.([A-Z][A-Z0-9_]*)", text)}


# ---- that these tests can fail: each reader finds what was planted for it, and nothing in what only looks like it


def test_a_variable_is_found_where_the_settings_read_it() -> None:
    planted = (
        'A = env.str("ONE", "x")\nif env.bool("TWO", False):\n    B = {"c": env.db_url("THREE")}\nos.getenv("FOUR")\n'
    )
    assert read_by(planted) == {"ONE", "TWO", "THREE"}
    assert assigned_by("A = 1\nB: int = 2\nC.d = 3\n") == {"A", "B"}


def test_what_production_needs_is_found() -> None:
    assert needed_in_production('FALLBACKS = [n for n in ("ONE", "TWO") if n not in env]') == {"ONE", "TWO"}
    assert needed_in_production("OTHER = ['ONE']") == set()


def test_a_line_of_the_example_is_found_whether_it_is_a_default_or_not() -> None:
    assert listed_in("# Says what.\n#ONE=1\nTWO=\n# THREE=is prose\n") == {"ONE", "TWO"}


def test_a_mark_of_the_example_holds_for_what_follows_it_only() -> None:
    assert marked_in("# Says what.\n# * Must be.\n#ONE=1\nTWO=\n# May be.\n#THREE=\n") == {"ONE", "TWO"}


def test_a_key_of_terraform_is_found_and_a_comparison_or_a_comment_is_not() -> None:
    planted = (
        "locals {\n  a = merge({ ONE_KEY = var.x }, var.y != \"\" ? { TWO_KEY = 1 } : {}) # THREE_KEY = prose\n"
        "  b = var.z == FOUR_KEY\n  // FIVE_KEY = prose\n  c = \"https://x/?SIX_KEY=1\"\n}\n"
    )  # fmt: skip
    assert set_by_terraform(planted) == {"ONE_KEY", "TWO_KEY"}


def test_a_variable_of_an_image_is_found_on_each_line_of_it() -> None:
    assert set_by_dockerfile("FROM x\nENV ONE=1 TWO=$ONE \\\n  THREE=a\nARG FOUR=1\nRUN FIVE=1 make\n") == {
        "ONE",
        "TWO",
        "THREE",
    }


def test_a_variable_of_compose_is_found_in_both_of_its_forms() -> None:
    planted = "services:\n  a:\n    environment: {ONE: 1}\n  b:\n    environment: [TWO=2, THREE]\n  c: {image: x}\n"
    assert set_by_compose(planted) == {"ONE", "TWO", "THREE"}


def test_a_variable_of_a_container_is_found() -> None:
    assert set_by_script('docker run --env "ONE=1" --env TWO=2 --env-file THREE=3 image') == {"ONE", "TWO"}


def test_a_name_in_a_document_is_found_whole() -> None:
    prose = '`MEMORIES_ENV=production`, [AWS_REGION](x), OPENAI_* and `MEMORIES_QUEUE["OPTIONS"]`, not NO_SPEECH.'
    assert named_in(prose) == {"MEMORIES_ENV", "AWS_REGION", "MEMORIES_QUEUE"}
