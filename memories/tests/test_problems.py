"""Every error a client sees is a problem document with a stable code, and no error says too much."""

from __future__ import annotations

import errno
import json
import logging
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation, TooManyFieldsSent
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.test import Client, RequestFactory
from rest_framework import exceptions, serializers
from rest_framework.test import APIClient

from memories import errors
from memories.api import problems
from memories.tests.factories import make_client

# What happens to a job, not to a request: a memory's own `error` tells of it.
OF_JOBS = {
    errors.TranscriberUnavailable,
    errors.TranscriptionRefused,
    errors.ModelUnusable,
    errors.AnalyzerUnavailable,
    errors.AnalysisRefused,
    errors.WorkerLost,
    errors.DeliveryFailed,
    errors.LeaseLost,
    errors.Interrupted,
    errors.KeyRefused,
    errors.AccountSpent,
    errors.ModelGone,
    errors.BudgetSpent,
    errors.BudgetTooSmall,
}


def answer(exc: Exception) -> HttpResponse:
    return problems.problem_response(exc, {"request": RequestFactory().get("/api/v1/memories")})


def body(response: Any) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(response.content)
    return data


@pytest.mark.parametrize("cls", errors.BY_CODE.values())
def test_each_error_is_in_the_table_or_never_reaches_a_client(cls: type[errors.MemoriesError]) -> None:
    assert (cls in problems.STATUSES) != (cls in OF_JOBS or cls is errors.MemoriesError)


def test_only_the_roots_of_the_tree_are_without_a_code_of_their_own() -> None:
    assert {cls for cls in errors.BY_CODE.values() if cls.__subclasses__()} == {errors.MemoriesError}
    leaves = {cls for cls in errors._tree(errors.MemoriesError) if not cls.__subclasses__()}
    assert leaves == {*errors.BY_CODE.values()} - {errors.MemoriesError}


@pytest.mark.parametrize("cls", problems.STATUSES)
def test_our_errors_become_complete_problem_documents(cls: type[errors.MemoriesError]) -> None:
    response = answer(cls("What happened here."))
    assert response.status_code == problems.STATUSES[cls]
    assert response["Content-Type"] == "application/problem+json"
    assert body(response) == {
        "type": f"/api/docs/problems#{cls.code}",
        "title": cls.code.replace("_", " ").capitalize(),
        "status": response.status_code,
        "code": cls.code,
        "detail": "What happened here.",
        "next_step": cls.next_step,
        "instance": "/api/v1/memories",
    }


def test_no_two_problems_share_a_code() -> None:
    codes = [problem.code for problem in problems.PROBLEMS.values()]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize(
    ("exc", "status", "code"),
    [
        (exceptions.ParseError(), 400, "malformed_request"),
        (exceptions.NotAuthenticated(), 401, "not_authenticated"),
        (exceptions.AuthenticationFailed(), 401, "authentication_failed"),
        (exceptions.PermissionDenied(), 403, "permission_denied"),
        (PermissionDenied(), 403, "permission_denied"),
        (exceptions.NotFound(), 404, "not_found"),
        (Http404("No Memory matches the given query."), 404, "not_found"),
        (exceptions.MethodNotAllowed("PUT"), 405, "method_not_allowed"),
        (exceptions.NotAcceptable(), 406, "not_acceptable"),
        (exceptions.UnsupportedMediaType("text/plain"), 415, "unsupported_media_type"),
        (exceptions.Throttled(3), 429, "too_many_requests"),
        (UnreadablePostError(), 400, "malformed_request"),
        (MultiPartParserError(), 400, "malformed_request"),
        (TooManyFieldsSent(), 400, "malformed_request"),
        (SuspiciousOperation(), 400, "malformed_request"),
        (RequestDataTooBig(), 413, "body_too_large"),
        (OperationalError("could not connect to 10.0.0.1"), 503, "database_unavailable"),
        (InterfaceError("connection already closed"), 503, "database_unavailable"),
        (OSError(errno.ENOSPC, "No space left on device"), 507, "storage_full"),
    ],
)
def test_errors_of_the_framework_and_the_system_are_problems_too(exc: Exception, status: int, code: str) -> None:
    response = answer(exc)
    assert (response.status_code, body(response)["code"]) == (status, code)


def test_an_unexpected_error_says_nothing_of_itself_to_the_client_and_all_to_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    try:
        raise KeyError("a secret")
    except KeyError as error:
        response = answer(error)
    assert (response.status_code, body(response)["code"]) == (500, "internal_error")
    assert b"a secret" not in response.content
    assert "KeyError" in caplog.text
    assert "Traceback" in caplog.text


def test_a_database_that_is_away_keeps_its_address_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    response = answer(OperationalError("could not connect to 10.0.0.1"))
    assert b"10.0.0.1" not in response.content
    assert response["Retry-After"] == "30"
    assert "10.0.0.1" in caplog.text


def test_what_the_client_did_wrong_is_not_logged_as_ours(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="memories"):
        answer(errors.NotAudio())
    assert not caplog.records


def test_retry_after_is_rounded_up_to_whole_seconds() -> None:
    assert answer(errors.TooManyUploads(retry_after=61.2))["Retry-After"] == "62"
    assert answer(exceptions.Throttled(2.5))["Retry-After"] == "3"


def test_what_cannot_be_helped_by_waiting_has_no_retry_after() -> None:
    assert "Retry-After" not in answer(errors.NotAudio())


def test_validation_names_each_field_by_its_path() -> None:
    class Line(serializers.Serializer[Any]):
        text = serializers.CharField()

    class Page(serializers.Serializer[Any]):
        title = serializers.CharField()
        lines = Line(many=True)

    page = Page(data={"lines": [{"text": "ok"}, {}]})
    assert not page.is_valid()
    document = body(answer(exceptions.ValidationError(page.errors)))
    assert document["code"] == "validation_failed"
    assert document["errors"] == {
        "title": ["This field is required."],
        "lines.1.text": ["This field is required."],
    }


def test_validation_of_the_whole_has_a_name_too() -> None:
    assert body(answer(exceptions.ValidationError("No.")))["errors"] == {"non_field_errors": ["No."]}


# --- over HTTP -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/api/", "/api/v1/nothing", "/api/v1/memories/", "/api/v2/memories"])
def test_an_unknown_address_below_api_is_a_problem(path: str) -> None:
    response = Client(enforce_csrf_checks=True).post(path, {"a": "b"})
    assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")
    assert response.json()["code"] == "not_found"


def test_an_unknown_address_elsewhere_is_a_page(client: Client) -> None:
    response = client.get("/nothing")
    assert (response.status_code, response["Content-Type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.django_db
def test_who_does_not_say_who_they_are_is_told_how() -> None:
    response = APIClient().get("/api/v1/memories")
    assert response.status_code == 401
    assert response["WWW-Authenticate"] == "Bearer"
    assert response.json()["code"] == "not_authenticated"


@pytest.mark.django_db
def test_a_method_that_is_not_taken_names_those_that_are(owner: User) -> None:
    response = make_client(owner).put("/api/v1/memories")
    assert (response.status_code, response.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in response["Allow"]


@pytest.mark.django_db
def test_a_page_without_its_csrf_token_gets_a_problem(owner: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.login(username="ada", password="a long enough secret")
    response = client.post("/api/v1/memories", {}, format="multipart")
    assert (response.status_code, response.json()["code"]) == (403, "permission_denied")
    assert "CSRF" in response.json()["detail"]


def test_a_host_that_we_do_not_serve_gets_a_problem(client: Client) -> None:
    response = client.get("/api/v1/memories", headers={"Host": "evil.example"})
    assert (response.status_code, response.json()["code"]) == (400, "malformed_request")


def test_the_type_of_each_problem_leads_to_its_entry(client: Client) -> None:
    page = client.get(problems.CATALOGUE_PATH).content.decode()
    for problem in (*problems.PROBLEMS.values(), problems.INTERNAL):
        assert f'id="{problem.code}"' in page
