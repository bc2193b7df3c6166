"""Audio in a folder: what `save` has returned is on the disk, with every name on the way to it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from django.core.files.base import ContentFile

from memories.storage import DurableFileSystemStorage

NAME = "audio/2026/11/24/note.wav"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was written through to the disk, in order."""
    paths: list[Path] = []
    fsync = os.fsync

    def record(descriptor: int) -> None:
        paths.append(Path(f"/proc/self/fd/{descriptor}").readlink())
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", record)
    return paths


def save(location: Path) -> Path:
    storage = DurableFileSystemStorage(location=location)
    return Path(storage.path(storage.save(NAME, ContentFile(b"sound"))))


def test_the_sound_and_each_folder_that_was_made_for_it_are_on_the_disk(tmp_path: Path, written: list[Path]) -> None:
    location = tmp_path / "data" / "storage"
    path = save(location)
    made = [path, *(folder for folder in path.parents if folder.is_relative_to(tmp_path))]
    assert written == made  # tmp_path too: it holds the name of the first new folder


def test_a_folder_that_somebody_else_has_made_just_now_is_not_taken_on_trust(
    tmp_path: Path, written: list[Path]
) -> None:
    (tmp_path / NAME).parent.mkdir(parents=True)  # its names may not be on the disk yet
    path = save(tmp_path)
    assert written == [path, *(folder for folder in path.parents if folder.is_relative_to(tmp_path))]


def test_folders_above_the_storage_that_are_there_are_no_affair_of_ours(tmp_path: Path, written: list[Path]) -> None:
    location = tmp_path / "storage"
    location.mkdir()
    save(location)
    assert tmp_path not in written  # we may have no right to read it
