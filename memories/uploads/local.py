"""Uploads on one machine: to addresses of our own, whose signature stands for the person, as at S3.

    FOLDER OF THE STORAGE/uploads/ID/1, 2, …   whole parts
                                    /1-x7k2…   a part on its way

They lie beside the recordings, not among the temporary files: parts outlive a restart, and joining stays on one disk.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from time import time

from django.core.files import locks
from django.core.files.storage import FileSystemStorage
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.signing import BadSignature, SignatureExpired, Signer
from django.urls import reverse

from memories.errors import UploadIncomplete, UploadMismatch
from memories.models import Upload
from memories.storage import storage_errors, write_through
from memories.uploads.base import Part, Span, UploadTarget, spans

BLOCK = 256 * 1024
_signer = Signer(salt="memories.uploads")


class LocalTarget(UploadTarget):
    def __init__(self, storage: FileSystemStorage) -> None:
        self.storage = storage
        self.root = Path(storage.location) / "uploads"

    def begin(self, upload: Upload) -> None:
        with storage_errors():
            self._folder(upload).mkdir(parents=True)

    def parts(self, upload: Upload, *, seconds: int) -> list[Part]:
        headers = {"Content-Type": upload.content_type} if upload.part_size == upload.size else {}
        with storage_errors():
            collected = self.storage.exists(upload.key)
            return [
                Part(span, None)
                if collected or self._path(upload, span).exists()
                else Part(span, _address(upload, span, seconds), headers)
                for span in spans(upload)
            ]

    def receive(self, upload: Upload, span: Span, blocks: Iterable[bytes]) -> None:
        """Keep a part; the last one that came whole counts. Reads on to the end of `blocks`.

        Raises UploadIncomplete, UploadMismatch where a file in one part is another one than announced, StorageFull.
        """
        with self._on_its_way(upload, span) as path:
            digest, size = hashlib.sha256(), 0
            with path.open("wb") as file:
                for block in blocks:
                    digest.update(block)
                    size += len(block)
                    with storage_errors():
                        file.write(block)
            if size != span.size:
                raise UploadIncomplete
            if span.size == upload.size and digest.hexdigest() != upload.sha256:
                raise UploadMismatch
            with storage_errors():
                write_through(path)
                path.rename(self._path(upload, span))
                write_through(path.parent)

    def collect(self, upload: Upload) -> None:
        with storage_errors(), self._alone(upload):
            # Once joined it is settled: parts that come later must not change what may be accepted already.
            if not self.storage.exists(upload.key):
                paths = [self._path(upload, span) for span in spans(upload)]
                if not all(path.exists() for path in paths):
                    raise UploadIncomplete
                self._join(upload, paths)
            self._remove_folder(upload)

    def discard(self, upload: Upload) -> None:
        with storage_errors():
            self.storage.delete(upload.key)
            self._remove_folder(upload)

    def tidy(self, before: datetime) -> int:
        old = [path for path in self.root.glob("*") if path.stat().st_mtime < before.timestamp()]
        for path in old:
            shutil.rmtree(path, ignore_errors=True)
        return len(old)

    def _join(self, upload: Upload, paths: list[Path]) -> None:
        with TemporaryUploadedFile("recording", upload.content_type, upload.size, None) as joined:
            for path in paths:
                with path.open("rb") as part:
                    shutil.copyfileobj(part, joined, BLOCK)
            joined.flush()
            self.storage.save(upload.key, joined)  # moves it

    @contextmanager
    def _on_its_way(self, upload: Upload, span: Span) -> Iterator[Path]:
        """A file for a part, which is deleted unless it was renamed."""
        with storage_errors():
            folder = self._folder(upload)
            folder.mkdir(parents=True, exist_ok=True)
            with NamedTemporaryFile(prefix=f"{span.number}-", dir=folder, delete=False) as file:
                path = Path(file.name)
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    @contextmanager
    def _alone(self, upload: Upload) -> Iterator[None]:
        """One at a time for each upload, among all processes of this machine."""
        folder = self._folder(upload)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "lock").open("w") as file:
            locks.lock(file, locks.LOCK_EX)
            yield

    def _remove_folder(self, upload: Upload) -> None:
        shutil.rmtree(self._folder(upload), ignore_errors=True)

    def _folder(self, upload: Upload) -> Path:
        return self.root / str(upload.pk)

    def _path(self, upload: Upload, span: Span) -> Path:
        return self._folder(upload) / str(span.number)


def _address(upload: Upload, span: Span, seconds: int) -> str:
    signature = _signer.sign_object([str(upload.pk), span.number, int(time()) + seconds])
    return f"{reverse('upload-part', args=[upload.pk, span.number])}?signature={signature}"


def check_signature(signature: str, upload_id: str, number: int) -> None:
    """Whether it was made for this part, and still holds. Raises BadSignature, SignatureExpired."""
    signed_id, signed_number, expires = _signer.unsign_object(signature)
    if (signed_id, signed_number) != (upload_id, number):
        raise BadSignature("It was made for another part.")
    if expires < time():
        raise SignatureExpired("It is over.")
