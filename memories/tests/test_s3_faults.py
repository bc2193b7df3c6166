"""S3 refuses, is busy, breaks off or has lost an object: what the client is told, and that nothing is lost."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile, TemporaryUploadedFile
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from memories import housekeeping
from memories.models import Memory, Status, Upload
from memories.processing import process_memory
from memories.tests.aws import AWS
from memories.tests.factories import make_client, make_memory
from memories.tests.s3_gate import Gate
from memories.tests.speech import wav

pytestmark = [pytest.mark.django_db, pytest.mark.slow]  # boto3 waits between its attempts

SOUND = wav((2.0, True))
MEGABYTE = 1024 * 1024
Break = Callable[..., None]

FAULTS = [
    pytest.param(lambda s3, method, **kwargs: s3.fail(method, 503, "SlowDown", **kwargs), id="busy"),
    pytest.param(lambda s3, method, **kwargs: s3.fail(method, 403, "AccessDenied", **kwargs), id="refuses"),
    pytest.param(lambda s3, method, **kwargs: s3.fail(method, 500, "InternalError", **kwargs), id="broken"),
    pytest.param(lambda s3, method, **kwargs: s3.drop(method, **kwargs), id="breaks-off"),
]
faults = pytest.mark.parametrize("break_", FAULTS)


@pytest.fixture
def api(owner: User) -> APIClient:
    return make_client(owner)


def send(api: APIClient) -> Any:
    recording = SimpleUploadedFile("note.wav", SOUND)
    return api.post("/api/v1/memories", {"audio": recording}, format="multipart", headers={"Idempotency-Key": "one"})


def told(response: Any) -> tuple[int, str, str]:
    return response.status_code, response.json()["code"], response.headers.get("Retry-After", "")


AWAY = (503, "storage_unavailable", "30")


@faults
def test_a_recording_that_cannot_be_stored_is_not_accepted_and_can_be_sent_again(
    s3: Gate, api: APIClient, break_: Break
) -> None:
    break_(s3, "PUT")
    assert told(send(api)) == AWAY
    assert not Memory.objects.exists()
    s3.mend()
    assert send(api).status_code == 202
    assert default_storage.size(str(Memory.objects.get().audio)) == len(SOUND)


def test_a_moment_of_trouble_is_outlived(s3: Gate, api: APIClient) -> None:
    s3.fail("PUT", 503, "SlowDown", times=1)
    s3.drop("PUT", times=1)
    assert send(api).status_code == 202


def on_disk(content: bytes) -> TemporaryUploadedFile:
    file = TemporaryUploadedFile("recording", "audio/wav", len(content), None)
    file.write(content)
    file.flush()
    return file


@pytest.mark.parametrize("form", [ContentFile, on_disk])
@faults
def test_a_large_file_that_breaks_off_leaves_no_parts_behind(
    s3: Gate, aws: AWS, form: Callable[[bytes], Any], break_: Break
) -> None:
    break_(s3, "PUT", pattern="partNumber=2")
    with pytest.raises(OSError, match="S3"):
        default_storage.save("audio/2026/11/24/large.wav", form(bytes(20 * MEGABYTE)))
    assert "Uploads" not in aws.client("s3").list_multipart_uploads(Bucket=s3.bucket)


@faults
def test_sound_that_cannot_be_had_right_now(s3: Gate, owner: User, api: APIClient, break_: Break) -> None:
    memory = make_memory(owner, audio=SOUND)
    break_(s3, "HEAD")
    assert told(api.get(f"/api/v1/memories/{memory.pk}/audio")) == AWAY
    s3.mend()
    assert api.get(f"/api/v1/memories/{memory.pk}/audio").status_code == 302


def test_sound_that_is_gone_is_missing(s3: Gate, owner: User, api: APIClient) -> None:
    memory = make_memory(owner, audio=SOUND)
    memory.audio.storage.delete(str(memory.audio))
    assert told(api.get(f"/api/v1/memories/{memory.pk}/audio")) == (404, "audio_missing", "")


@faults
def test_a_worker_waits_for_its_next_attempt(s3: Gate, owner: User, break_: Break) -> None:
    memory = make_memory(owner, audio=SOUND, status=Status.QUEUED)
    break_(s3, "GET")
    process_memory(memory.pk, worker="w")
    memory.refresh_from_db()
    assert (memory.status, memory.error_code, memory.attempts) == (Status.QUEUED, "storage_unavailable", 1)
    s3.mend()
    Memory.objects.update(next_attempt_at=None)
    process_memory(memory.pk, worker="w")
    memory.refresh_from_db()
    assert memory.status == Status.READY


def test_a_download_that_breaks_off_goes_on(s3: Gate, owner: User) -> None:
    memory = make_memory(owner, audio=SOUND, status=Status.QUEUED)
    s3.drop("GET", times=2)
    process_memory(memory.pk, worker="w")
    memory.refresh_from_db()
    assert memory.status == Status.READY


def test_a_recording_that_is_gone_fails_at_once(s3: Gate, owner: User) -> None:
    memory = make_memory(owner, audio=SOUND, status=Status.QUEUED)
    memory.audio.storage.delete(str(memory.audio))
    process_memory(memory.pk, worker="w")
    memory.refresh_from_db()
    assert (memory.status, memory.error_code) == (Status.FAILED, "audio_missing")


@faults
def test_what_cannot_be_erased_now_is_still_there_to_be_erased(
    s3: Gate, owner: User, api: APIClient, break_: Break
) -> None:
    memory = make_memory(owner, audio=SOUND)
    break_(s3, "DELETE")
    assert told(api.delete(f"/api/v1/memories/{memory.pk}")) == AWAY
    assert Memory.objects.exists()
    s3.mend()
    assert api.delete(f"/api/v1/memories/{memory.pk}").status_code == 204
    assert not default_storage.exists(str(memory.audio))


@faults
def test_readyz_says_that_the_storage_has_failed(s3: Gate, client: Client, break_: Break) -> None:
    assert client.get("/readyz").status_code == 200
    break_(s3, "HEAD")
    response = client.get("/readyz")
    assert (response.status_code, response.json()["storage"], response.json()["database"]) == (503, "failed", "ok")


def test_a_storage_that_is_away_keeps_no_other_tidying_from_its_turn(
    s3: Gate, owner: User, caplog: pytest.LogCaptureFixture
) -> None:
    make_memory(owner, audio=SOUND)
    s3.fail("GET", 403, "AccessDenied")
    report = housekeeping.tidy()
    assert (report.orphans, report.expired_tokens) == (0, 0)
    assert "S3 says AccessDenied" in caplog.text


# --- uploads -------------------------------------------------------------------------------------------------------


def announced(api: APIClient, content: bytes = SOUND) -> Any:
    digest = hashlib.sha256(content).hexdigest()
    return api.post(
        "/api/v1/uploads", {"filename": "", "content_type": "audio/wav", "size": len(content), "sha256": digest}
    )


@faults
def test_a_large_upload_cannot_be_announced_while_s3_is_away(s3: Gate, api: APIClient, break_: Break) -> None:
    break_(s3, "POST")
    assert told(announced(api, bytes(65 * MEGABYTE))) == AWAY
    assert not Upload.objects.exists()


@pytest.mark.parametrize("method", ["HEAD", "GET"])
@faults
def test_an_upload_that_cannot_be_verified_now_can_be_later(
    s3: Gate, api: APIClient, break_: Break, method: str
) -> None:
    upload = announced(api).json()
    default_storage.save(Upload.objects.get().key, ContentFile(SOUND))
    break_(s3, method)
    assert told(api.post("/api/v1/memories", {"upload": upload["id"]})) == AWAY
    assert not Memory.objects.exists()
    s3.mend()
    assert api.post("/api/v1/memories", {"upload": upload["id"]}).status_code == 202


@faults
def test_what_is_no_recording_is_told_so_even_where_it_cannot_be_deleted(
    s3: Gate, api: APIClient, break_: Break
) -> None:
    text = b"This is not a recording."
    upload = announced(api, text).json()
    default_storage.save(Upload.objects.get().key, ContentFile(text))
    break_(s3, "DELETE")
    assert told(api.post("/api/v1/memories", {"upload": upload["id"]})) == (415, "not_audio", "")
    assert told(api.get(f"/api/v1/uploads/{upload['id']}")) == (410, "upload_expired", "")
    s3.mend()
    assert housekeeping.tidy().uploads == 1
    assert not default_storage.exists(f"audio/{timezone.now():%Y/%m/%d}/{upload['id']}")


@faults
def test_an_upload_that_cannot_be_given_up_now_is_over_all_the_same(s3: Gate, api: APIClient, break_: Break) -> None:
    upload = announced(api).json()
    default_storage.save(Upload.objects.get().key, ContentFile(SOUND))
    break_(s3, "DELETE")
    assert told(api.delete(f"/api/v1/uploads/{upload['id']}")) == AWAY
    assert told(api.post("/api/v1/memories", {"upload": upload["id"]})) == (410, "upload_expired", "")
    s3.mend()
    assert api.delete(f"/api/v1/uploads/{upload['id']}").status_code == 204
    assert not default_storage.exists(f"audio/{timezone.now():%Y/%m/%d}/{upload['id']}")
