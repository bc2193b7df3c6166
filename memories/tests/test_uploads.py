"""POST uploads, the bytes to where its answer says, POST memories {"upload": id}: in a folder and in S3 alike."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from time import time
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage
from django.db import OperationalError
from django.utils import timezone
from rest_framework.test import APIClient

from memories import audio, housekeeping, uploads
from memories.models import Memory, Upload
from memories.storage import DurableFileSystemStorage
from memories.tests.factories import make_client, make_memory, make_user
from memories.tests.s3_gate import Gate
from memories.tests.speech import wav
from memories.uploads import local

pytestmark = pytest.mark.django_db

URL = "/api/v1/uploads"
MEGABYTE = 1024 * 1024
SOUND = wav((0.2, True))
LARGE = wav((0.2, True), (350.0, False))  # 11 MB: three parts, of which S3 takes none below 5 MB
TEXT = b"This is not a recording at all. " * 100


@pytest.fixture(params=["folder", pytest.param("s3", marks=pytest.mark.wire)], autouse=True)
def gate(request: pytest.FixtureRequest, settings: Any) -> Gate | None:
    """Each test runs in both shapes; None: in a folder."""
    settings.MEMORIES_UPLOAD_SINGLE_MB = settings.MEMORIES_UPLOAD_PART_MB = 5
    return request.getfixturevalue("s3") if request.param == "s3" else None


@pytest.fixture
def api(owner: User) -> APIClient:
    return make_client(owner)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def sound_of(memory: Memory) -> str:
    """The digest of what lies in the storage."""
    with memory.audio.open("rb") as file:
        return digest(file.read())


def announcement(content: bytes = SOUND, **fields: Any) -> dict[str, Any]:
    return {
        "filename": "note.wav",
        "content_type": "audio/wav",
        "size": len(content),
        "sha256": digest(content),
        **fields,
    }


def announce(api: APIClient, content: bytes = SOUND, **fields: Any) -> Any:
    response = api.post(URL, announcement(content, **fields))
    assert response.status_code == 201, response.content
    return response.json()


def put(part: Any, content: bytes, *, url: str = "", **headers: str) -> int:
    """Send a part as a client does: to the address as it is, with exactly the headers that were given."""
    url, headers = url or part["url"], {"Content-Type": "application/octet-stream", **part["headers"], **headers}
    if url.startswith("http://testserver/"):
        content_type = headers.pop("Content-Type")
        response: Any = APIClient().generic("PUT", url, content, content_type, headers=headers)  # type: ignore[arg-type]
        return int(response.status_code)
    try:
        with urlopen(Request(url, content, headers, method="PUT")) as response:
            return int(response.status)
    except HTTPError as error:
        return error.code


def send(upload: Any, content: bytes) -> None:
    for part in upload["parts"]:
        if not part["received"]:
            assert put(part, content[part["offset"] : part["offset"] + part["size"]]) == 200


def accept(api: APIClient, upload: Any, **fields: Any) -> Any:
    return api.post("/api/v1/memories", {"upload": upload["id"], **fields})


def told(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["code"]


def stored(gate: Gate | None) -> list[str]:
    """Whatever lies in the storage, parts and all."""
    if gate is None:
        root = Path(default_storage.path(""))
        return [str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()]
    client = gate.aws.client("s3")
    objects = client.list_objects_v2(Bucket=gate.bucket).get("Contents", [])
    unfinished = client.list_multipart_uploads(Bucket=gate.bucket).get("Uploads", [])
    return [item["Key"] for item in (*objects, *unfinished)]


# --- announced -----------------------------------------------------------------------------------------------------


def test_a_file_of_moderate_size_has_one_address(api: APIClient) -> None:
    response = api.post(URL, announcement())
    upload = response.json()
    assert response.status_code == 201
    assert response["Location"] == f"{URL}/{upload['id']}"
    assert response["Cache-Control"] == "no-store"
    assert (upload["method"], upload["memory"]) == ("PUT", None)
    assert upload["headers"]["Content-Type"] == "audio/wav"
    [part] = upload["parts"]
    assert (part["number"], part["offset"], part["size"], part["received"]) == (1, 0, len(SOUND), False)
    assert (part["url"], part["headers"]) == (upload["url"], upload["headers"])


def test_a_large_file_has_an_address_for_each_part(api: APIClient) -> None:
    upload = announce(api, LARGE)
    assert (upload["url"], upload["headers"]) == (None, {})
    spans = [(part["number"], part["offset"], part["size"]) for part in upload["parts"]]
    step = 5 * MEGABYTE
    assert spans == [(1, 0, step), (2, step, step), (3, 2 * step, len(LARGE) - 2 * step)]
    assert len({part["url"] for part in upload["parts"]}) == 3


def test_what_is_announced_counts_against_the_quota(api: APIClient, settings: Any) -> None:
    settings.MEMORIES_QUOTA_GB = 2.5 * len(SOUND) / 1024**3
    announce(api)
    upload = announce(api)
    assert told(api.post(URL, announcement())) == (403, "quota_exceeded")
    assert api.delete(f"{URL}/{upload['id']}").status_code == 204
    announce(api)


def test_what_is_announced_counts_against_the_rate(api: APIClient, settings: Any) -> None:
    settings.MEMORIES_UPLOADS_PER_HOUR = 2
    announce(api)
    announce(api)
    response = api.post(URL, announcement())
    assert told(response) == (429, "too_many_uploads")
    assert 3590 <= int(response["Retry-After"]) <= 3600


# --- sent, and accepted --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("content", [SOUND, LARGE], ids=["moderate", "large"])
def test_what_was_sent_becomes_a_memory(api: APIClient, gate: Gate | None, content: bytes) -> None:
    upload = announce(api, content, filename="../Grüße.wav", sha256=digest(content).upper())
    send(upload, content)
    response = accept(api, upload, title="Hello", language="en", recorded_at="2026-05-07T09:30:00+02:00")
    assert response.status_code == 202, response.content
    memory = Memory.objects.get()
    assert response["Location"] == f"/api/v1/memories/{memory.pk}"
    assert (memory.title, memory.language, memory.status) == ("Hello", "en", "QUEUED")
    assert memory.recorded_at.isoformat() == "2026-05-07T07:30:00+00:00"
    assert (memory.audio_filename, memory.audio_content_type) == ("Grüße.wav", "audio/wav")
    assert (memory.audio_size, memory.audio_sha256) == (len(content), digest(content))
    assert memory.audio.name == Upload.objects.get().key
    assert stored(gate) == [memory.audio.name]
    assert sound_of(memory) == digest(content)


def test_the_key_says_nothing_about_anybody(api: APIClient) -> None:
    upload = announce(api, filename="Ada at the doctor.wav")
    assert Upload.objects.get().key == f"audio/{timezone.now():%Y/%m/%d}/{upload['id']}"


def test_whatever_type_was_announced_the_content_counts(api: APIClient) -> None:
    upload = announce(api, content_type="application/x-thing; v=1")
    send(upload, SOUND)
    assert accept(api, upload).json()["audio"]["content_type"] == "audio/wav"


def test_a_break_is_gone_on_from(api: APIClient) -> None:
    upload = announce(api, LARGE)
    parts = upload["parts"]
    for part in (parts[2], parts[0]):
        assert put(part, LARGE[part["offset"] : part["offset"] + part["size"]]) == 200
    response = api.get(f"{URL}/{upload['id']}")
    assert response["Cache-Control"] == "no-store"
    assert [part["received"] for part in response.json()["parts"]] == [True, False, True]
    assert [bool(part["url"]) for part in response.json()["parts"]] == [False, True, False]
    assert told(accept(api, upload)) == (409, "upload_incomplete")
    send(response.json(), LARGE)
    assert accept(api, upload).status_code == 202


def test_a_file_that_is_there_needs_no_address(api: APIClient) -> None:
    upload = announce(api)
    send(upload, SOUND)
    again = api.get(f"{URL}/{upload['id']}").json()
    assert (again["url"], again["parts"][0]["received"]) == (None, True)


@pytest.mark.parametrize("content", [SOUND, LARGE], ids=["moderate", "large"])
def test_before_anything_is_there_nothing_is_accepted(api: APIClient, content: bytes) -> None:
    upload = announce(api, content)
    assert told(accept(api, upload)) == (409, "upload_incomplete")
    send(upload, content)
    assert accept(api, upload).status_code == 202


def test_the_same_upload_gives_the_same_memory_again(api: APIClient) -> None:
    upload = announce(api)
    send(upload, SOUND)
    first, again = accept(api, upload), accept(api, upload, title="Other")
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json() == again.json()
    shown = api.get(f"{URL}/{upload['id']}").json()
    assert (shown["memory"], shown["parts"], shown["url"]) == (first.json()["id"], [], None)


def test_an_idempotency_key_holds_over_uploads(api: APIClient) -> None:
    ids = set()
    for _ in range(2):
        upload = announce(api)
        send(upload, SOUND)
        response = api.post("/api/v1/memories", {"upload": upload["id"]}, headers={"Idempotency-Key": "k"})
        ids.add(response.json()["id"])
    assert len(ids) == 1
    response = api.post("/api/v1/memories", {"upload": upload["id"], "title": "x"}, headers={"Idempotency-Key": "k"})
    assert told(response) == (409, "idempotency_conflict")


def meanwhile(monkeypatch: pytest.MonkeyPatch, action: Callable[[], Any]) -> None:
    """Let something happen once, while the content of an upload is looked at."""
    probe, happened = audio.probe, list[Any]()

    def probing(file: Any) -> Any:
        if not happened:
            happened.append(True)
            action()
        return probe(file)

    monkeypatch.setattr(audio, "probe", probing)


@pytest.mark.parametrize("content", [SOUND, LARGE], ids=["moderate", "large"])
def test_of_two_that_accept_at_the_same_time_both_get_the_one_memory(
    api: APIClient, gate: Gate | None, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    upload = announce(api, content)
    send(upload, content)
    other: list[Any] = []
    meanwhile(monkeypatch, lambda: other.append(accept(api, upload)))
    response = accept(api, upload)
    assert (response.status_code, other[0].status_code) == (202, 202)
    assert response.json()["id"] == other[0].json()["id"]
    assert stored(gate) == [Memory.objects.get().audio.name]


def test_what_is_given_up_while_it_is_accepted_is_gone(
    api: APIClient, gate: Gate | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = announce(api)
    send(upload, SOUND)
    meanwhile(monkeypatch, lambda: api.delete(f"{URL}/{upload['id']}"))
    assert told(accept(api, upload)) == (410, "upload_expired")
    assert not Memory.objects.exists()
    assert stored(gate) == []


def test_what_is_erased_while_it_is_accepted_again_stays_erased(
    api: APIClient, gate: Gate | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = announce(api)
    send(upload, SOUND)

    def accept_and_erase() -> None:
        assert api.delete(accept(api, upload)["Location"]).status_code == 204

    meanwhile(monkeypatch, accept_and_erase)
    assert told(accept(api, upload)) == (410, "upload_expired")
    assert not Memory.objects.exists()
    assert stored(gate) == []


def test_a_database_that_goes_away_loses_nothing(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = announce(api, LARGE)
    send(upload, LARGE)
    with monkeypatch.context() as patch:
        patch.setattr(Memory, "save", _away)
        assert told(accept(api, upload)) == (503, "database_unavailable")
    assert accept(api, upload).status_code == 202


def _away(*args: Any, **kwargs: Any) -> None:
    raise OperationalError


def test_quota_and_limit_are_asked_again_when_it_is_accepted(api: APIClient, owner: User, settings: Any) -> None:
    upload = announce(api)
    send(upload, SOUND)
    with_less = settings.MEMORIES_QUOTA_GB
    settings.MEMORIES_QUOTA_GB = 1.5 * len(SOUND) / 1024**3
    make_memory(owner, audio=SOUND)
    assert told(accept(api, upload)) == (403, "quota_exceeded")
    settings.MEMORIES_QUOTA_GB, settings.MEMORIES_UPLOADS_PER_HOUR = with_less, 1
    assert told(accept(api, upload)) == (429, "too_many_uploads")
    settings.MEMORIES_UPLOADS_PER_HOUR, settings.MAX_UPLOAD_MB = 10, 0
    assert told(accept(api, upload)) == (413, "upload_too_large")
    settings.MAX_UPLOAD_MB = 1
    assert accept(api, upload).status_code == 202


# --- not what was announced ----------------------------------------------------------------------------------------


def refused_for_good(api: APIClient, gate: Gate | None, upload: Any, problem: tuple[int, str]) -> None:
    assert told(accept(api, upload)) == problem
    assert not Memory.objects.exists()
    assert stored(gate) == []
    assert told(api.get(f"{URL}/{upload['id']}")) == (404, "not_found")


def test_parts_of_another_file_are_not_accepted(api: APIClient, gate: Gate | None) -> None:
    upload = announce(api, LARGE)
    send(upload, bytes(len(LARGE)))
    refused_for_good(api, gate, upload, (409, "upload_mismatch"))


@pytest.mark.parametrize("content", [SOUND[:-1] + b"x", SOUND + b"x", b"x"])
def test_another_object_under_that_key_is_not_accepted(api: APIClient, gate: Gate | None, content: bytes) -> None:
    upload = announce(api)
    default_storage.save(Upload.objects.get().key, ContentFile(content))
    refused_for_good(api, gate, upload, (409, "upload_mismatch"))


@pytest.mark.parametrize(
    ("content", "problem"),
    [(TEXT, (415, "not_audio")), (wav(), (415, "no_sound"))],
    ids=["text", "no sound"],
)
def test_what_is_no_recording_is_not_accepted(
    api: APIClient, gate: Gate | None, content: bytes, problem: tuple[int, str]
) -> None:
    upload = announce(api, content)
    send(upload, content)
    refused_for_good(api, gate, upload, problem)


# --- the PUT is held to what was signed ----------------------------------------------------------------------------


def refused(gate: Gate | None, *, here: int, at_s3: int) -> int:
    return here if gate is None else at_s3


def test_another_file_of_the_same_size_is_refused(api: APIClient, gate: Gate | None) -> None:
    [part] = announce(api)["parts"]
    assert put(part, bytes(len(SOUND))) == refused(gate, here=409, at_s3=400)
    assert stored(gate) == []


@pytest.mark.parametrize("content", [SOUND[:-1], SOUND + b"x", b""])
def test_another_size_is_refused(api: APIClient, gate: Gate | None, content: bytes) -> None:
    [part] = announce(api)["parts"]
    assert put(part, content) == refused(gate, here=409 if content else 411, at_s3=403)
    assert stored(gate) == []


def test_a_part_of_another_size_is_refused(api: APIClient, gate: Gate | None) -> None:
    part = announce(api, LARGE)["parts"][0]
    assert put(part, LARGE[: part["size"] + 1]) == refused(gate, here=409, at_s3=403)


def test_another_type_is_refused(api: APIClient, gate: Gate | None) -> None:
    [part] = announce(api)["parts"]
    assert put(part, SOUND, **{"Content-Type": "text/html"}) == refused(gate, here=409, at_s3=403)


def test_the_signature_is_for_one_part_of_one_upload(api: APIClient) -> None:
    one, other = announce(api, LARGE), announce(api, LARGE)
    part = one["parts"][0]
    size = part["size"]
    for url in (
        part["url"].replace("parts/1", "parts/2").replace("partNumber=1", "partNumber=2"),
        part["url"].replace("parts/1", "parts/4").replace("partNumber=1", "partNumber=4"),
        part["url"].replace("parts/1", "parts/0").replace("partNumber=1", "partNumber=0"),
        part["url"].replace(one["id"], other["id"]),
        part["url"][:-3] + "abc",
        part["url"].split("?")[0],
    ):
        assert put(part, LARGE[:size], url=url) == 403


def test_an_address_lives_as_long_as_it_says(
    api: APIClient, gate: Gate | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = announce(api)
    later = timedelta(minutes=61)
    if gate:
        gate.ahead = later
    else:
        monkeypatch.setattr(local, "time", lambda: time() + later.total_seconds())
    assert put(upload["parts"][0], SOUND) == 403


def test_what_is_sent_twice_is_there_once(api: APIClient, gate: Gate | None) -> None:
    upload = announce(api, LARGE)
    send(upload, bytes(len(LARGE)))
    send(upload, LARGE)
    assert accept(api, upload).status_code == 202
    assert stored(gate) == [Memory.objects.get().audio.name]


def test_what_was_accepted_can_no_longer_be_changed(api: APIClient, gate: Gate | None) -> None:
    upload = announce(api, LARGE)
    send(upload, LARGE)
    accept(api, upload)
    part = upload["parts"][0]
    assert put(part, bytes(part["size"])) != 200
    assert sound_of(Memory.objects.get()) == digest(LARGE)


def test_parts_that_come_late_change_nothing_that_is_looked_at(api: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    upload = announce(api, LARGE)
    send(upload, LARGE)
    parts = upload["parts"]

    def send_others_and_accept() -> None:
        for part in parts:
            put(part, bytes(part["size"]))
        accept(api, upload)

    meanwhile(monkeypatch, send_others_and_accept)
    assert accept(api, upload).status_code == 202
    assert sound_of(Memory.objects.get()) == digest(LARGE)


# --- other people, and the end of its time -------------------------------------------------------------------------


def test_the_uploads_of_others_do_not_exist(api: APIClient) -> None:
    upload = announce(api)
    send(upload, SOUND)
    eve = make_client(make_user("eve"))
    assert told(eve.get(f"{URL}/{upload['id']}")) == (404, "not_found")
    assert told(eve.delete(f"{URL}/{upload['id']}")) == (404, "not_found")
    assert told(accept(eve, upload)) == (404, "not_found")
    assert accept(api, upload).status_code == 202


@pytest.mark.parametrize("content", [SOUND, LARGE], ids=["moderate", "large"])
def test_what_is_given_up_leaves_nothing(api: APIClient, gate: Gate | None, content: bytes) -> None:
    upload = announce(api, content)
    send(upload, content)
    assert api.delete(f"{URL}/{upload['id']}").status_code == 204
    assert stored(gate) == []
    assert told(api.delete(f"{URL}/{upload['id']}")) == (404, "not_found")
    assert told(accept(api, upload)) == (404, "not_found")


def test_giving_up_an_upload_never_takes_the_memory(api: APIClient, gate: Gate | None) -> None:
    upload = announce(api)
    send(upload, SOUND)
    accept(api, upload)
    assert api.delete(f"{URL}/{upload['id']}").status_code == 204
    assert stored(gate) == [Memory.objects.get().audio.name]


def make_older(by: timedelta) -> None:
    for upload in Upload.objects.all():
        Upload.objects.filter(pk=upload.pk).update(expires_at=upload.expires_at - by)


def test_after_its_time_nothing_is_taken(api: APIClient) -> None:
    upload = announce(api)
    send(upload, SOUND)
    make_older(uploads.LIFE)
    assert told(api.get(f"{URL}/{upload['id']}")) == (410, "upload_expired")
    assert told(accept(api, upload)) == (410, "upload_expired")


@pytest.mark.parametrize("content", [SOUND, LARGE], ids=["moderate", "large"])
@pytest.mark.parametrize("sent", [0, 1, 3])
def test_what_never_came_to_an_end_is_swept(api: APIClient, gate: Gate | None, content: bytes, sent: int) -> None:
    upload = announce(api, content)
    for part in upload["parts"][:sent]:
        put(part, content[part["offset"] : part["offset"] + part["size"]])
    before = stored(gate)
    make_older(uploads.LIFE)
    assert housekeeping.tidy().uploads == 0  # somebody who came in time may still be at work
    assert stored(gate) == before
    make_older(uploads.GRACE)
    assert housekeeping.tidy().uploads == 1
    assert stored(gate) == []
    assert not Upload.objects.exists()


def test_what_became_a_memory_is_not_swept(api: APIClient, gate: Gate | None) -> None:
    upload = announce(api)
    send(upload, SOUND)
    accept(api, upload)
    make_older(2 * uploads.LIFE)
    assert housekeeping.tidy().uploads == 0
    assert stored(gate) == [Memory.objects.get().audio.name]
    assert accept(api, upload).status_code == 202


def test_an_object_that_waits_to_be_accepted_is_no_orphan(
    api: APIClient, gate: Gate | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(housekeeping, "ORPHAN_AGE", timedelta(seconds=-60))
    upload = announce(api)
    send(upload, SOUND)
    with monkeypatch.context() as patch:  # collected, and then the process died
        patch.setattr(Memory, "save", _away)
        assert accept(api, upload).status_code == 503
    assert housekeeping.tidy().orphans == 0
    assert accept(api, upload).status_code == 202
    Upload.objects.all().delete()
    assert housekeeping.tidy().orphans == 0
    Memory.objects.all().delete()
    assert housekeeping.tidy().orphans == 1
    assert stored(gate) == []


def test_what_no_row_knows_of_is_swept_in_the_end(
    api: APIClient, gate: Gate | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = announce(api, LARGE)
    put(upload["parts"][0], LARGE[: upload["parts"][0]["size"]])
    Upload.objects.all().delete()  # as when its owner was deleted
    assert housekeeping.tidy().uploads == 0
    monkeypatch.setattr(uploads, "FORGOTTEN", timedelta(seconds=-60))
    assert housekeeping.tidy().uploads == 1
    assert stored(gate) == []


# --- one machine only ----------------------------------------------------------------------------------------------


class FullDisk(DurableFileSystemStorage):
    def _save(self, name: str, content: Any) -> str:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_disk_that_is_full_when_it_is_accepted_loses_nothing(
    api: APIClient, gate: Gate | None, settings: Any
) -> None:
    if gate:
        pytest.skip("S3 is never full")
    upload = announce(api, LARGE)
    send(upload, LARGE)
    folder = settings.STORAGES
    full = {**folder["default"], "BACKEND": "memories.tests.test_uploads.FullDisk"}
    settings.STORAGES = folder | {"default": full}
    assert told(accept(api, upload)) == (507, "storage_full")
    settings.STORAGES = folder
    assert accept(api, upload).status_code == 202


def test_parts_are_not_taken_here_where_the_storage_is_elsewhere(
    api: APIClient, gate: Gate | None, settings: Any
) -> None:
    if gate is None:
        pytest.skip("here it is")
    s3, settings.STORAGES = (
        settings.STORAGES,
        settings.STORAGES | {"default": {"BACKEND": "django.core.files.storage.FileSystemStorage"}},
    )
    assert isinstance(default_storage, FileSystemStorage)
    part = announce(api)["parts"][0]
    settings.STORAGES = s3
    assert put(part, SOUND) == 404
