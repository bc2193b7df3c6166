"""The OpenAPI schema: complete, valid, and true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import patched_settings
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from memories import errors
from memories.api.problems import INTERNAL, MEDIA_TYPE, PROBLEMS
from memories.models import Status
from memories.tests.factories import make_client, make_memory, make_segments

METHODS = {"get", "post", "patch", "put", "delete"}
DOCS = Path(settings.BASE_DIR, "docs", "api.md")


def generate() -> dict[str, Any]:
    with patched_settings({"OAS_VERSION": "3.1.0"}):  # its schemas are JSON Schema proper
        schema: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)  # type: ignore[no-untyped-call]
    return schema


def operations() -> list[Any]:
    """In one order, whatever the process: pytest-xdist compares."""
    return [
        pytest.param(path, method, operation, id=operation["operationId"])
        for path, methods in generate()["paths"].items()
        for method, operation in sorted(methods.items())
        if method in METHODS
    ]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return generate()


def test_the_schema_is_valid_and_nothing_in_it_had_to_be_guessed(tmp_path: Path) -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "schema.yaml"))


def test_every_call_of_the_contract_is_in_it(schema: dict[str, Any]) -> None:
    calls = {f"{method} {path}" for path, methods in schema["paths"].items() for method in METHODS & methods.keys()}
    assert calls == {
        "post /api/v1/auth/token",
        "delete /api/v1/auth/token",
        "get /api/v1/memories",
        "post /api/v1/memories",
        "get /api/v1/memories/{id}",
        "patch /api/v1/memories/{id}",
        "delete /api/v1/memories/{id}",
        "get /api/v1/memories/{id}/audio",
        "get /api/v1/memories/{id}/transcript",
        "post /api/v1/memories/{id}/reprocess",
        "post /api/v1/uploads",
        "get /api/v1/uploads/{id}",
        "delete /api/v1/uploads/{id}",
        "get /api/v1/events",
        "get /healthz",
        "get /readyz",
    }


@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_every_operation_says_what_it_does_and_what_can_go_wrong(
    path: str, method: str, operation: dict[str, Any]
) -> None:
    assert operation["summary"]
    assert operation["description"]
    answers = operation["responses"].keys()
    if not path.startswith("/api/v1/"):
        return
    assert {"401", "429", "500", "503"} <= answers
    assert "404" in answers or "{id}" not in path
    assert {"400", "415"} <= answers or "requestBody" not in operation
    assert "400" in answers or not any(parameter["in"] == "query" for parameter in operation.get("parameters", []))


@pytest.mark.parametrize(("path", "method", "operation"), operations())
def test_every_problem_has_its_code_and_an_example(path: str, method: str, operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        if int(status) < 400 or not path.startswith("/api/v1/"):
            continue
        content = answer["content"][MEDIA_TYPE]
        assert content["schema"] == {"$ref": "#/components/schemas/Problem"}
        for example in content["examples"].values():
            assert f"`{example['value']['code']}`" in answer["description"]
            assert str(example["value"]["status"]) == status


@pytest.mark.django_db
@pytest.mark.parametrize("status", list(Status))
def test_answers_are_what_the_schema_says(schema: dict[str, Any], owner: User, status: Status) -> None:
    make_memory(owner, status=Status.QUEUED)
    memory = make_memory(
        owner,
        status=status,
        transcript=make_segments("Call Maria.", "In Lisbon."),
        tags=["phone"],
        people=["Maria"],
        audio=b"RIFF",
        mood={"label": "neutral", "segment_ids": [0], "quote": "Call"},
        action_items=[{"text": "Call", "due": None, "due_quote": None, "segment_ids": [0], "quote": "Call Maria"}],
        error_code="worker_lost",
    )
    api = make_client(owner)
    for path, component in (
        (f"/api/v1/memories/{memory.pk}", "Memory"),
        ("/api/v1/memories?q=maria", "Page"),
        ("/api/v1/memories", "Page"),
        ("/api/v1/memories/nonsense", "Problem"),
        ("/api/v1/memories?limit=0", "Problem"),
    ):
        reference = {"$ref": f"#/components/schemas/{component}", "components": schema["components"]}
        Draft202012Validator(reference).validate(api.get(path).json())


def test_the_examples_are_what_the_schema_says(schema: dict[str, Any]) -> None:
    checked = 0
    for methods in schema["paths"].values():
        for method in METHODS & methods.keys():
            bodies = [methods[method].get("requestBody", {}), *methods[method]["responses"].values()]
            for content in (content for body in bodies for content in body.get("content", {}).values()):
                for example in content.get("examples", {}).values():
                    whole = {**content["schema"], "components": schema["components"]}
                    Draft202012Validator(whole).validate(example["value"])
                    checked += 1
    assert checked > 50


@pytest.mark.django_db
def test_the_pages_work_offline() -> None:
    browser = Client()
    assert browser.get("/").headers["Location"] == "/api/docs"
    assert browser.get("/api/docs/").headers["Location"] == "/api/docs"
    page = browser.get("/api/docs").content.decode()
    assert "swagger-ui" in page
    assert "//cdn" not in page
    assert browser.get("/api/schema").status_code == 200


def documented() -> set[str]:
    """The rows of the tables of codes in docs/api.md, without what is written for people."""
    return {
        line.rsplit("|", 3)[0].strip()
        for line in DOCS.read_text().splitlines()
        if re.match(r"\| `[a-z_]+` \|.*\|.*\|.*\|", line)
    }


def test_the_documentation_has_every_problem_and_no_other() -> None:
    problems = {problem.code: problem.status for problem in {*PROBLEMS.values(), INTERNAL}}
    within = problems.keys() | {errors.LeaseLost.code, errors.Interrupted.code}  # these two never leave a worker
    causes = {code: "no" if cls.permanent else "yes" for code, cls in errors.BY_CODE.items() if code not in within}
    assert documented() == {f"| `{code}` | {second}" for code, second in {**problems, **causes}.items()}
