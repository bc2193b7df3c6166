"""PrivateS3Storage over the wire: what it keeps, and how it is read."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from threading import Thread
from typing import Any, cast
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from memories import housekeeping
from memories.storage.s3 import PrivateS3Storage
from memories.tests.aws import AWS
from memories.tests.factories import make_memory
from memories.tests.s3_gate import Gate

pytestmark = pytest.mark.wire

KEY = "audio/2026/11/24/2b0b1d3e-6f0e-4b7c-9d4e-2f1a5b8c7d90.wav"
SOUND = bytes(range(256)) * 1000
MEGABYTE = 1024 * 1024


def storage() -> PrivateS3Storage:
    return cast(PrivateS3Storage, default_storage)


def save(content: bytes = SOUND) -> str:
    return default_storage.save(KEY, ContentFile(content))


def answer(url: str, **headers: str) -> tuple[int, bytes, Any]:
    try:
        with urlopen(Request(url, headers=headers)) as response:
            return response.status, response.read(), response.headers
    except HTTPError as error:
        return error.code, error.read(), error.headers


def test_what_is_saved_is_encrypted_under_exactly_its_key_and_nothing_is_asked_before(s3: Gate, aws: AWS) -> None:
    assert save() == KEY
    assert s3.requests == [f"PUT /{s3.bucket}/{KEY}"]
    there = aws.client("s3").head_object(Bucket=s3.bucket, Key=KEY)
    assert (there["ServerSideEncryption"], there["ContentLength"]) == ("AES256", len(SOUND))


def test_a_large_file_goes_in_parts_and_comes_back_in_parts(s3: Gate) -> None:
    content = os.urandom(20 * MEGABYTE)
    save(content)
    assert sum("partNumber=" in request for request in s3.requests) == 3
    with default_storage.open(KEY) as file:
        assert file.read() == content
    assert sum(request.startswith("GET ") for request in s3.requests) == 3


def test_what_is_opened_can_be_sought_in_and_leaves_no_file_behind(s3: Gate, settings: Any) -> None:
    save()
    with default_storage.open(KEY) as file:
        assert file.size == len(SOUND)
        file.seek(1000)
        assert file.read(10) == SOUND[1000:1010]
        assert list(Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir()) == []
    assert file.closed


@pytest.mark.django_db
def test_a_recording_can_be_opened_again_once_it_was_closed(s3: Gate, owner: User) -> None:
    memory = make_memory(owner, audio=SOUND)
    for _ in range(2):
        with memory.audio.open("rb") as file:
            assert file.read() == SOUND


def test_only_whole_objects_are_written(s3: Gate) -> None:
    with pytest.raises(ValueError, match="whole"):
        default_storage.open(KEY, "wb")


def test_what_is_not_there_is_said_as_a_file_system_says_it(s3: Gate) -> None:
    assert not default_storage.exists(KEY)
    default_storage.delete(KEY)
    for look in (default_storage.open, default_storage.size, default_storage.get_modified_time):
        with pytest.raises(FileNotFoundError):
            look(KEY)


def test_all_that_it_holds_is_told_by_one_request_however_many_days_it_is_of(s3: Gate) -> None:
    days = [f"audio/2026/11/{day}/a.wav" for day in (1, 2, 3)]
    for key in days:
        default_storage.save(key, ContentFile(SOUND))
    s3.requests.clear()
    assert list(storage().names("audio")) == days
    assert len(s3.requests) == 1
    assert list(storage().names("nothing")) == []


@pytest.mark.django_db
def test_audio_that_no_row_knows_is_tidied_away(s3: Gate, owner: User, monkeypatch: pytest.MonkeyPatch) -> None:
    known = make_memory(owner, audio=SOUND)
    save()
    monkeypatch.setattr(housekeeping, "ORPHAN_AGE", timedelta(seconds=-1))
    assert housekeeping.delete_orphans(default_storage) == 1
    assert list(storage().names("audio")) == [known.audio.name]


def test_all_threads_share_one_client(s3: Gate) -> None:
    clients = [storage().client]
    thread = Thread(target=lambda: clients.append(storage().client))
    thread.start()
    thread.join()
    assert clients[0] is clients[1]


# --- addresses -----------------------------------------------------------------------------------------------------


def test_nobody_reads_without_a_signature(s3: Gate) -> None:
    save()
    assert answer(f"{s3.endpoint_url}/{s3.bucket}/{KEY}")[0] == 403


def test_a_signed_address_gives_the_sound_and_parts_of_it(s3: Gate) -> None:
    save()
    url = storage().url(KEY, parameters={"ResponseContentType": "audio/wav"})
    assert "X-Amz-Algorithm=AWS4-HMAC-SHA256" in url
    status, content, headers = answer(url)
    assert (status, content, headers["Content-Type"]) == (200, SOUND, "audio/wav")
    status, content, headers = answer(url, Range="bytes=100-199")
    assert (status, content) == (206, SOUND[100:200])
    assert headers["Content-Range"] == f"bytes 100-199/{len(SOUND)}"


def test_an_address_lives_a_quarter_of_an_hour_and_is_good_for_nothing_else(s3: Gate) -> None:
    save()
    url = storage().url(KEY)
    assert answer(url.replace("wav?", "mp3?"))[0] == 403
    assert answer(url + "&response-content-type=text/html")[0] == 403
    s3.ahead = timedelta(minutes=14)
    assert answer(url)[0] == 200
    s3.ahead = timedelta(minutes=16)
    assert answer(url)[0] == 403


@pytest.mark.usefixtures("aws")
def test_addresses_are_those_of_the_region_since_signatures_survive_no_redirect(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AWS_ENDPOINT_URL")  # nothing is sent
    url = PrivateS3Storage(bucket_name="memories", region_name="eu-central-1").url(KEY)
    assert urlsplit(url).hostname == "memories.s3.eu-central-1.amazonaws.com"


def test_without_credentials_the_storage_cannot_be_reached(s3: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(OSError, match="NoCredentials"):
        storage().url(KEY)


def test_a_bucket_that_is_not_there_cannot_be_reached(s3: Gate, aws: AWS) -> None:
    storage().reach()
    aws.client("s3").delete_bucket(Bucket=s3.bucket)
    with pytest.raises(OSError, match="S3 says 404"):
        storage().reach()


@pytest.mark.parametrize("module", ["config.wsgi", "config.urls", "memories.processing"])
def test_starting_with_a_bucket_imports_no_boto3(module: str, tmp_path: Path) -> None:
    code = f"import django; django.setup(); import {module}, sys; print('boto3' in sys.modules)"
    env = os.environ | {
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "AWS_STORAGE_BUCKET_NAME": "memories",
        "MEMORIES_DATA_DIR": str(tmp_path),
    }
    printed = subprocess.run([sys.executable, "-c", code], env=env, check=True, capture_output=True, text=True).stdout
    assert printed.strip() == "False"
