"""POST uploads: what is wrong with an announcement."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from rest_framework.test import APIClient

from memories.models import Upload
from memories.tests.factories import make_client

pytestmark = pytest.mark.django_db

URL = "/api/v1/uploads"
MEGABYTE = 1024 * 1024


@pytest.fixture
def api(owner: User) -> APIClient:
    return make_client(owner)


def announcement(**fields: Any) -> dict[str, Any]:
    return {"filename": "note.wav", "content_type": "audio/wav", "size": 1000, "sha256": "ab" * 32, **fields}


def told(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("size", 0),
        ("size", -1),
        ("size", "many"),
        ("size", 1.5),
        ("size", None),
        ("size", True),
        ("sha256", ""),
        ("sha256", "ab" * 31),
        ("sha256", "xy" * 32),
        ("sha256", "ab" * 33),
        ("sha256", None),
        ("content_type", ""),
        ("content_type", "audio"),
        ("content_type", "audio/wav\r\nX-Evil: 1"),
        ("content_type", "audio/" + "x" * 100),
        ("content_type", "audio/größe"),
        ("filename", "x" * 256),
        ("filename", "a\0b"),
        ("filename", None),
        ("owner", "eve"),
    ],
)
def test_what_is_wrong_with_an_announcement_is_named(api: APIClient, field: str, value: Any) -> None:
    response = api.post(URL, announcement(**{field: value}))
    assert told(response) == (400, "validation_failed")
    assert list(response.json()["errors"]) == [field]
    assert not Upload.objects.exists()


@pytest.mark.parametrize("field", ["size", "sha256", "content_type", "filename"])
def test_nothing_may_be_left_out_of_an_announcement(api: APIClient, field: str) -> None:
    body = announcement()
    del body[field]
    assert told(api.post(URL, body)) == (400, "validation_failed")


@pytest.mark.parametrize("size", [501 * MEGABYTE, 2**63, 10**30])
def test_a_file_over_the_limit_need_not_even_be_sent(api: APIClient, size: int) -> None:
    assert told(api.post(URL, announcement(size=size))) == (413, "upload_too_large")


@pytest.mark.parametrize("body", [b"", b"[]", b"{", b'"x"', b"[" * 10_000])
def test_a_body_that_is_no_object_is_refused(api: APIClient, body: bytes) -> None:
    assert api.post(URL, body, content_type="application/json").status_code == 400


def test_nobody_announces_without_a_token() -> None:
    assert told(APIClient().post(URL, announcement())) == (401, "not_authenticated")


@pytest.mark.parametrize("body", [{"upload": "nonsense"}, {"upload": None}, {}, {"upload": 1, "audio": "x"}])
def test_an_upload_is_named_by_its_id(api: APIClient, body: dict[str, Any]) -> None:
    assert told(api.post("/api/v1/memories", body)) == (400, "validation_failed")
