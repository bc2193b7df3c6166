"""GET memories/{id}/audio: the sound, whole and in parts."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from io import BytesIO
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from django.contrib.auth.models import User
from django.core.files.storage import Storage
from django.test import RequestFactory
from django.utils import timezone
from rest_framework.test import APIClient

from memories.delivery.ranges import respond
from memories.errors import RangeNotSatisfiable
from memories.models import Memory
from memories.tests.factories import make_client, make_memory

pytestmark = pytest.mark.django_db
SOUND = bytes(range(256)) * 1000


class ElsewhereStorage(Storage):
    """Like S3: it has no paths, but addresses that somebody else serves."""

    def _save(self, name: str, content: Any) -> str:
        return name

    def exists(self, name: str) -> bool:
        return False

    def size(self, name: str) -> int:
        return len(SOUND)

    def url(self, name: str | None, parameters: dict[str, str] | None = None, http_method: str = "") -> str:
        return f"https://elsewhere.example/{name}?{urlencode(parameters or {})}&method={http_method}"


@pytest.fixture
def memory(owner: User) -> Memory:
    return make_memory(owner, audio=SOUND, audio_sha256="ab" * 32, audio_filename="note.wav")


@pytest.fixture
def api(owner: User) -> APIClient:
    return make_client(owner)


def get(api: APIClient, memory: Memory, query: str = "", **headers: Any) -> Any:
    return api.get(f"/api/v1/memories/{memory.pk}/audio{query}", **headers)


def body(answer: Any) -> bytes:
    return b"".join(answer.streaming_content) if answer.streaming else bytes(answer.content)


def test_the_sound_comes_back_as_it_was_sent(api: APIClient, memory: Memory) -> None:
    answer = get(api, memory)
    assert (answer.status_code, body(answer)) == (200, SOUND)
    assert answer.headers["Content-Type"] == "audio/wav"
    assert answer.headers["Content-Length"] == str(len(SOUND))
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Content-Disposition"] == 'inline; filename="note.wav"'


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=100-", 100, len(SOUND)),
        ("bytes=-100", len(SOUND) - 100, len(SOUND)),
        ("bytes=0-999999999", 0, len(SOUND)),
        ("bytes=-999999999", 0, len(SOUND)),
        ("BYTES=1-2", 1, 3),
        (f"bytes={len(SOUND) - 1}-", len(SOUND) - 1, len(SOUND)),
        ("bytes=1000-150000", 1000, 150_001),
    ],
)
def test_a_part_can_be_asked_for(api: APIClient, memory: Memory, asked: str, start: int, stop: int) -> None:
    answer = get(api, memory, HTTP_RANGE=asked)
    assert (answer.status_code, body(answer)) == (206, SOUND[start:stop])
    assert answer.headers["Content-Range"] == f"bytes {start}-{stop - 1}/{len(SOUND)}"
    assert answer.headers["Content-Length"] == str(stop - start)


@pytest.mark.parametrize("asked", [f"bytes={len(SOUND)}-", "bytes=-0", "bytes=999999999-9999999999"])
def test_a_part_beyond_the_end_cannot_be_had(api: APIClient, memory: Memory, asked: str) -> None:
    answer = get(api, memory, HTTP_RANGE=asked)
    assert (answer.status_code, answer.headers["Content-Type"]) == (416, "application/problem+json")
    assert answer.json()["code"] == "range_not_satisfiable"
    assert answer.headers["Content-Range"] == f"bytes */{len(SOUND)}"


@pytest.mark.parametrize(
    "asked", ["", "bytes=", "bytes=-", "bytes=5-1", "lines=1-2", "bytes=0-1,5-6", "bytes=a-b", "bytes=1-" + "9" * 5_000]
)
def test_a_range_that_makes_no_sense_gets_the_whole(api: APIClient, memory: Memory, asked: str) -> None:
    answer = get(api, memory, HTTP_RANGE=asked)
    assert (answer.status_code, body(answer)) == (200, SOUND)


def test_a_part_of_another_recording_is_not_mixed_in(api: APIClient, memory: Memory) -> None:
    etag = get(api, memory).headers["ETag"]
    assert get(api, memory, HTTP_RANGE="bytes=0-9", HTTP_IF_RANGE=etag).status_code == 206
    for other in ('"other"', f"W/{etag}", "Tue, 01 Jan 2030 00:00:00 GMT"):
        assert get(api, memory, HTTP_RANGE="bytes=0-9", HTTP_IF_RANGE=other).status_code == 200


def test_the_same_sound_is_not_sent_again(api: APIClient, memory: Memory) -> None:
    etag = get(api, memory).headers["ETag"]
    answer = get(api, memory, HTTP_IF_NONE_MATCH=etag)
    assert (answer.status_code, body(answer)) == (304, b"")


def test_head_says_how_long_it_is_and_sends_nothing(api: APIClient, memory: Memory) -> None:
    answer = api.head(f"/api/v1/memories/{memory.pk}/audio")
    assert (answer.status_code, body(answer)) == (200, b"")
    assert answer.headers["Content-Length"] == str(len(SOUND))


@pytest.mark.parametrize("asked", ["", "bytes=0-9", "bytes=999999999-"])
def test_the_file_is_closed_also_for_a_client_that_goes_away_before_it_reads(asked: str) -> None:
    file = BytesIO(SOUND)
    request = RequestFactory().get("/", headers={"Range": asked})
    with suppress(RangeNotSatisfiable):
        respond(request, file, size=len(SOUND), content_type="audio/wav", etag='"x"').close()
    assert file.closed


@pytest.mark.parametrize(
    ("name", "disposition"),
    [
        ("Größe.m4a", "attachment; filename*=utf-8''Gr%C3%B6%C3%9Fe.m4a"),
        ('a"b\\c.wav', 'attachment; filename="abc.wav"'),
        ("a\r\nSet-Cookie: x.wav", 'attachment; filename="aSet-Cookie x.wav"'),
        ("../../etc/passwd.wav", 'attachment; filename="passwd.wav"'),
        ('a.w\r\na"v', 'attachment; filename="a.wav"'),
        ("", 'attachment; filename="memory"'),
        ("...", 'attachment; filename="memory"'),
        ("x" * 255, f'attachment; filename="{"x" * 100}"'),
    ],
)
def test_a_download_has_a_name_that_can_do_no_harm(api: APIClient, owner: User, name: str, disposition: str) -> None:
    memory = make_memory(owner, audio=SOUND, audio_filename=name)
    assert get(api, memory, "?download=1").headers["Content-Disposition"] == disposition


def test_an_audio_element_may_ask_for_audio(api: APIClient, memory: Memory) -> None:
    assert get(api, memory, HTTP_ACCEPT="audio/*;q=0.9").status_code == 200


def test_a_storage_with_addresses_of_its_own_is_redirected_to(api: APIClient, owner: User, settings: Any) -> None:
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "memories.tests.test_api_audio.ElsewhereStorage"},
    }
    memory = make_memory(owner, audio=SOUND)
    for answer, method in ((get(api, memory), "GET"), (api.head(f"/api/v1/memories/{memory.pk}/audio"), "HEAD")):
        assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "no-store")
        address = urlsplit(answer.headers["Location"])
        assert (address.hostname, address.path) == ("elsewhere.example", f"/{memory.audio.name}")
        assert dict(parse_qsl(address.query)) == {
            "ResponseContentType": "audio/wav",
            "ResponseContentDisposition": 'inline; filename="note.wav"',
            "ResponseCacheControl": "private, no-cache",
            "method": method,
        }


@pytest.mark.parametrize("gone", [{"audio": b""}, {"created_at": timezone.now() - timedelta(days=400)}])
def test_audio_past_its_time_is_gone(api: APIClient, owner: User, gone: dict[str, Any]) -> None:
    answer = get(api, make_memory(owner, **{"audio": SOUND, **gone}))
    assert (answer.status_code, answer.json()["code"]) == (410, "audio_expired")


def test_audio_that_is_not_in_the_storage_is_missing(api: APIClient, memory: Memory) -> None:
    memory.audio.storage.delete(memory.audio.name or "")
    answer = get(api, memory)
    assert (answer.status_code, answer.json()["code"]) == (404, "audio_missing")
