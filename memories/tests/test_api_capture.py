"""POST memories: what is accepted, and what each kind of bad request is told."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path, PurePath
from threading import Barrier, Thread
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.contrib.auth.models import User
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.db import OperationalError, connection
from django.utils import timezone
from rest_framework.test import APIClient

from memories.api import uploadhandlers
from memories.languages import ISO_639_1
from memories.models import DeviceToken, Memory
from memories.tests.conftest import SAMPLES
from memories.tests.factories import make_client
from memories.tests.speech import wav

URL = "/api/v1/memories"
SOUND = wav((0.2, True))
BOUNDARY = "a-boundary"

pytestmark = pytest.mark.django_db

REFUSED = {
    "bad_empty.m4a": (400, "empty_upload"),
    "bad_zero_samples.wav": (415, "no_sound"),
    "bad_video_only.mp4": (415, "no_sound"),
}
BAD = sorted(path.name for path in SAMPLES.glob("bad_*"))
TEXTS = {".txt", ".md"}
GOOD = sorted(path.name for path in SAMPLES.iterdir() if path.suffix not in TEXTS and not path.name.startswith("bad_"))


@pytest.fixture
def api(owner: User) -> APIClient:
    return make_client(owner)


@pytest.fixture(autouse=True)
def _nothing_is_left_behind() -> Iterator[None]:
    """After each request: no temporary file; an object for each row, and a row for each object."""
    yield
    assert list(Path(django_settings.FILE_UPLOAD_TEMP_DIR).iterdir()) == []
    folder = Path(default_storage.path(""))
    objects = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    assert objects == {memory.audio.name for memory in Memory.objects.all()}


def send(
    api: APIClient, content: bytes = SOUND, name: str = "note.wav", *, key: str | None = None, **fields: Any
) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return api.post(URL, {"audio": SimpleUploadedFile(name, content), **fields}, format="multipart", headers=headers)


def part(name: str, content: bytes, filename: str | None = None) -> bytes:
    disposition = f'form-data; name="{name}"' + ("" if filename is None else f'; filename="{filename}"')
    return f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"


def send_raw(api: APIClient, *parts: bytes, end: bytes = f"--{BOUNDARY}--\r\n".encode(), **extra: Any) -> Any:
    content_type = f"multipart/form-data; boundary={BOUNDARY}"
    return api.post(URL, b"".join(parts) + end, content_type=content_type, **extra)


def refusal(response: Any) -> tuple[int, str]:
    assert response["Content-Type"] == "application/problem+json"
    assert not Memory.objects.exists()
    return response.status_code, response.json()["code"]


# --- accepted ------------------------------------------------------------------------------------------------------


def test_a_recording_is_accepted_and_the_answer_says_where_to_look(api: APIClient) -> None:
    response = send(api)
    memory = Memory.objects.get()
    assert response.status_code == 202
    assert response["Location"] == f"{URL}/{memory.pk}"
    assert response["Retry-After"] == "2"
    assert response["ETag"] == memory.etag
    assert (response.json()["id"], response.json()["status"]) == (str(memory.pk), "QUEUED")
    assert response.json() == api.get(response["Location"]).json()


@pytest.mark.parametrize("name", GOOD)
def test_each_format_is_accepted(api: APIClient, name: str) -> None:
    response = send(api, (SAMPLES / name).read_bytes(), name)
    assert response.status_code == 202, response.content
    assert response.json()["audio"]["filename"] == name


def test_the_name_and_the_declared_type_of_a_file_count_for_nothing(api: APIClient) -> None:
    response = send(api, (SAMPLES / "speech_en.m4a").read_bytes(), "notes.txt")
    assert response.status_code == 202
    assert (
        response.json()["audio"]["content_type"]
        == send(api, (SAMPLES / "speech_en.m4a").read_bytes(), "note.m4a").json()["audio"]["content_type"]
    )
    assert {PurePath(str(memory.audio)).suffix for memory in Memory.objects.all()} == {".m4a"}


def test_what_the_person_says_about_it_is_in_the_answer(api: APIClient) -> None:
    body = send(api, recorded_at="2026-05-01T14:00:00.25+02:00", language="es", title=" La abuela ").json()
    assert body["recorded_at"] == "2026-05-01T12:00:00.250000Z"
    assert Memory.objects.get().recorded_locally.isoformat() == "2026-05-01T14:00:00.250000+02:00"
    assert (body["language"], body["title"], body["edited_fields"]) == ("es", "La abuela", ["title"])


def test_the_bytes_are_hashed_as_they_come(api: APIClient) -> None:
    send(api, SOUND)
    assert Memory.objects.get().audio_sha256 == hashlib.sha256(SOUND).hexdigest()


def test_a_title_is_one_line(api: APIClient) -> None:
    assert send(api, title="Two\nlines\t and more\r\n").json()["title"] == "Two lines and more"


def test_an_upload_costs_few_queries(api: APIClient, django_assert_max_num_queries: Any) -> None:
    send(api)
    with django_assert_max_num_queries(10):
        assert send(api, key="k").status_code == 202


def test_a_page_may_send_with_its_session_and_csrf_token(owner: User) -> None:
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(owner)
    client.cookies["csrftoken"] = "a" * 32
    form = {"audio": SimpleUploadedFile("note.wav", SOUND)}
    response = client.post(URL, form, format="multipart", headers={"X-CSRFToken": "a" * 32})
    assert response.status_code == 202


# --- not a recording -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", BAD)
def test_each_bad_file_is_refused_with_a_reason(api: APIClient, name: str) -> None:
    response = send(api, (SAMPLES / name).read_bytes(), name)
    assert refusal(response) == REFUSED.get(name, (415, "not_audio"))
    assert response.json()["next_step"]


# --- not the right form --------------------------------------------------------------------------------------------


def test_json_where_a_form_is_due_is_told_so(api: APIClient) -> None:
    response = api.post(URL, {"audio": "aGVsbG8="}, format="json")
    assert refusal(response) == (400, "validation_failed")
    assert response.json()["errors"] == {"audio": ["This field does not exist."]}
    assert refusal(api.post(URL, b"RIFF", content_type="audio/wav")) == (415, "unsupported_media_type")


def test_a_bare_body_is_told_so(api: APIClient) -> None:
    response = api.post(URL, SOUND, content_type="audio/wav")
    assert refusal(response) == (415, "unsupported_media_type")


@pytest.mark.parametrize("parts", [[], [part("title", b"x")], [part("audio", SOUND)]])
def test_a_missing_recording_is_named(api: APIClient, parts: list[bytes]) -> None:
    response = send_raw(api, *parts)
    assert refusal(response) == (400, "validation_failed")
    assert "audio" in response.json()["errors"]


def test_no_body_at_all_is_a_missing_recording(api: APIClient) -> None:
    response = api.post(URL)
    assert "audio" in response.json()["errors"]
    assert refusal(response) == (400, "validation_failed")


def test_a_second_recording_is_refused(api: APIClient) -> None:
    response = send_raw(api, part("audio", SOUND, "a.wav"), part("audio", SOUND, "b.wav"))
    assert refusal(response) == (400, "validation_failed")
    assert response.json()["errors"] == {"audio": ["Send one recording at a time."]}


def test_a_file_under_another_name_is_refused(api: APIClient) -> None:
    response = send_raw(api, part("audio", SOUND, "a.wav"), part("cover", b"png", "cover.png"))
    assert refusal(response) == (400, "validation_failed")
    assert "cover" in response.json()["errors"]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("language", "english"),
        ("language", "EN"),
        ("language", "xx"),
        ("recorded_at", "yesterday"),
        ("recorded_at", "2026-05-01T12:00:00"),
        ("recorded_at", "2026-05-01"),
        ("recorded_at", "1899-12-31T23:59:59Z"),
        ("recorded_at", "0001-01-01T00:00:00+14:00"),
        ("recorded_at", "9999-12-31T23:59:59-14:00"),
        ("title", "x" * 201),
        ("title", "a\x00b"),
        ("owner", "1"),
        ("tittle", "a typing mistake"),
    ],
)
def test_a_field_that_is_not_right_is_named(api: APIClient, field: str, value: str) -> None:
    form = {"audio": SimpleUploadedFile("note.wav", SOUND), field: value}
    response = api.post(URL, form, format="multipart")
    assert refusal(response) == (400, "validation_failed")
    assert list(response.json()["errors"]) == [field]


def test_a_field_left_blank_is_a_field_left_out(api: APIClient) -> None:
    response = send(api, language="", recorded_at="", title="")
    assert response.status_code == 202
    assert (response.json()["language"], response.json()["edited_fields"]) == (None, [])


def test_a_recording_of_tomorrow_is_refused_and_a_clock_that_is_a_little_fast_is_not(api: APIClient) -> None:
    response = send(api, recorded_at=(timezone.now() + timedelta(minutes=6)).isoformat())
    assert refusal(response) == (400, "validation_failed")
    assert "clock" in response.json()["errors"]["recorded_at"][0]
    assert send(api, recorded_at=(timezone.now() + timedelta(minutes=4)).isoformat()).status_code == 202


def test_every_language_of_the_world_that_has_two_letters_is_known() -> None:
    assert len(ISO_639_1) >= 183
    assert all(len(code) == 2 for code in ISO_639_1)


@pytest.mark.parametrize("key", ["", " ", "a b", "k\u00e9y", "k" * 256])
def test_an_idempotency_key_that_is_none_is_refused(api: APIClient, key: str) -> None:
    response = send(api, key=key)
    assert refusal(response) == (400, "malformed_request")
    assert "Idempotency-Key" in response.json()["detail"]


@pytest.mark.parametrize(
    "content_type", ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=\u00e9"]
)
def test_a_form_without_a_boundary_is_malformed(api: APIClient, content_type: str) -> None:
    response = api.post(URL, b"x" * 100, content_type=content_type)
    assert refusal(response) == (400, "malformed_request")


def test_a_form_that_breaks_off_in_the_file_is_malformed(api: APIClient) -> None:
    response = send_raw(api, part("audio", SOUND, "a.wav")[:-100], end=b"")
    assert refusal(response) == (400, "malformed_request")


def test_a_form_with_a_thousand_fields_is_malformed(api: APIClient) -> None:
    response = send_raw(api, part("audio", SOUND, "a.wav"), *[part(f"f{i}", b"x") for i in range(1100)])
    assert refusal(response) == (400, "malformed_request")


def test_a_field_of_megabytes_is_too_large(api: APIClient) -> None:
    response = send_raw(api, part("title", b"x" * 3_000_000), part("audio", SOUND, "a.wav"))
    assert refusal(response) == (413, "body_too_large")


def test_base64_that_is_none_is_malformed(api: APIClient) -> None:
    encoded = part("audio", b"!" * 99, "a.wav").replace(
        b"\r\n\r\n", b"\r\nContent-Transfer-Encoding: base64\r\n\r\n", 1
    )
    assert refusal(send_raw(api, encoded)) == (400, "malformed_request")


def test_a_chunked_body_is_asked_for_its_length(api: APIClient) -> None:
    recording = part("audio", SOUND, "a.wav")
    response = send_raw(api, recording, CONTENT_LENGTH="", HTTP_TRANSFER_ENCODING="chunked")
    assert refusal(response) == (411, "length_required")


# --- file names ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("../../../etc/passwd.wav", "passwd.wav"),
        ("..\\\\..\\\\boot.wav", "boot.wav"),
        ("a\x1b[31m\x07.wav", "a[31m.wav"),
        ("note\u202evaw.exe", "notevaw.exe"),
        ("x" * 700 + ".wav", "x" * 251 + ".wav"),
        ("a." + "w" * 700, None),
        ("&lt;script&gt;.wav", "<script>.wav"),
    ],
)
def test_a_strange_file_name_harms_nothing(api: APIClient, name: str, kept: str | None) -> None:
    response = send_raw(api, part("audio", SOUND, name))
    assert response.status_code == 202, response.content
    shown = response.json()["audio"]["filename"]
    assert len(shown) <= 255
    assert kept in (None, shown)
    assert Path(Memory.objects.get().audio.path).resolve().is_relative_to(Path(default_storage.path("")).resolve())


@pytest.mark.parametrize("name", ["x" * 10_000 + ".wav", "..", "\x00", "/"])
def test_a_file_name_of_ten_thousand_letters_or_of_none_is_refused(api: APIClient, name: str) -> None:
    assert refusal(send_raw(api, part("audio", SOUND, name)))[0] == 400


# --- limits --------------------------------------------------------------------------------------------------------


def test_an_upload_over_the_limit_is_stopped_while_it_arrives(api: APIClient, settings: Any) -> None:
    settings.MAX_UPLOAD_MB = 1
    response = send(api, b"\x00" * (1024 * 1024 + 1))  # the form's overhead may be larger: its header is no reason
    assert refusal(response) == (413, "upload_too_large")
    assert "1 MB" in response.json()["detail"]


def test_a_content_length_over_the_limit_is_refused_before_anything_is_read(api: APIClient, settings: Any) -> None:
    settings.MAX_UPLOAD_MB = 1
    response = send_raw(api, part("audio", SOUND, "a.wav"), CONTENT_LENGTH=str(3 * 1024 * 1024))
    assert refusal(response) == (413, "upload_too_large")


def test_too_many_uploads_say_when_to_come_back(api: APIClient, settings: Any) -> None:
    settings.MEMORIES_UPLOADS_PER_HOUR = 1
    send(api)
    response = send(api)
    assert (response.status_code, response.json()["code"]) == (429, "too_many_uploads")
    assert 3590 < int(response["Retry-After"]) <= 3600


def test_a_full_quota_is_named(api: APIClient, settings: Any) -> None:
    settings.MEMORIES_QUOTA_GB = 1e-9
    assert refusal(send(api)) == (403, "quota_exceeded")


# --- who ------------------------------------------------------------------------------------------------------------


def test_a_stranger_uploads_nothing(api: APIClient) -> None:
    api.credentials()
    assert refusal(send(api)) == (401, "not_authenticated")


# --- the same request again ----------------------------------------------------------------------------------------


def test_a_repeated_request_gets_the_same_memory(api: APIClient) -> None:
    first, again = send(api, key="k"), send(api, key="k")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()


def test_a_key_for_other_content_is_a_conflict(api: APIClient) -> None:
    send(api, key="k")
    response = send(api, key="k", title="another")
    assert (response.status_code, response.json()["code"]) == (409, "idempotency_conflict")


@pytest.mark.django_db(transaction=True)
@pytest.mark.skipif(connection.vendor == "sqlite", reason="one connection in memory; test_live_uploads has a file")
def test_two_identical_requests_at_the_same_time_give_one_memory(owner: User) -> None:
    token = DeviceToken.objects.create(user=owner)[1]
    barrier, answers = Barrier(4), list[Any]()

    def run() -> None:
        client = APIClient()
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        barrier.wait()
        answers.append(send(client, key="k"))
        connection.close()

    threads = [Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [response.status_code for response in answers] == [202] * 4
    assert len({response.json()["id"] for response in answers}) == 1
    assert Memory.objects.count() == 1


# --- what breaks ---------------------------------------------------------------------------------------------------


class FullDisk(uploadhandlers.RecordingUpload):
    """A temporary file on a disk that has no room left."""

    def write(self, data: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_while_the_upload_arrives_is_named(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploadhandlers, "RecordingUpload", FullDisk)
    assert issubclass(FullDisk, TemporaryUploadedFile)
    assert refusal(send(api)) == (507, "storage_full")


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_is_named_and_the_recording_is_not_half_kept(api: APIClient) -> None:
    def refuse(execute: Any, sql: str, *rest: Any) -> Any:
        if "INSERT" in sql:
            raise OperationalError("gone")
        return execute(sql, *rest)

    with connection.execute_wrapper(refuse):
        response = send(api)
    assert refusal(response) == (503, "database_unavailable")
    assert response["Retry-After"]
