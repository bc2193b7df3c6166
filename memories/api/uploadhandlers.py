"""A recording goes to disk as it arrives: hashed on the way, stopped at the limit, gone if anything breaks."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from typing import IO, Any

from django.conf import settings
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.core.files.uploadhandler import TemporaryFileUploadHandler
from rest_framework.exceptions import ParseError, ValidationError
from rest_framework.parsers import DataAndFiles, MultiPartParser

from memories.errors import TooLarge
from memories.storage import storage_errors

FIELD = "audio"
MEGABYTE = 1024 * 1024
FORM_OVERHEAD = MEGABYTE  # what the other fields and the boundaries may take


class RecordingUpload(TemporaryUploadedFile):
    """A recording in a temporary file, which is deleted when it is closed."""

    sha256 = ""


class RecordingUploadHandler(TemporaryFileUploadHandler):
    """Takes one file, in the part `audio`."""

    file: RecordingUpload  # there from new_file() on

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.limit = settings.MAX_UPLOAD_MB * MEGABYTE
        self.broken = False

    def handle_raw_input(
        self,
        input_data: Any,
        META: Mapping[str, Any],  # noqa: N803 (Django's name)
        content_length: int,
        boundary: Any,
        encoding: Any = None,
    ) -> None:
        if content_length > self.limit + FORM_OVERHEAD:
            raise TooLarge(self._too_large())

    def new_file(self, field_name: str, file_name: str, *args: Any, **kwargs: Any) -> None:
        if field_name != FIELD:
            raise ValidationError({field_name[:100]: ["This part takes no file; the recording goes into `audio`."]})
        if hasattr(self, "file"):
            raise ValidationError({FIELD: ["Send one recording at a time."]})
        self.sha256 = hashlib.sha256()
        with storage_errors():
            # Not under its own name: some endings are no good in a file system.
            self.file = RecordingUpload("recording", kwargs.get("content_type") or args[0], 0, None)
        self.file.name = file_name

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:
        if start + len(raw_data) > self.limit:
            raise TooLarge(self._too_large())
        self.sha256.update(raw_data)
        with storage_errors():
            self.file.write(raw_data)

    def file_complete(self, file_size: int) -> RecordingUpload:
        with storage_errors():
            self.file.seek(0)  # writes what is buffered
        self.file.size = file_size
        self.file.sha256 = self.sha256.hexdigest()
        return self.file

    def upload_interrupted(self) -> None:
        self.broken = True
        if hasattr(self, "file"):
            with suppress(OSError):  # a full disk refuses even the last buffer; the file is deleted all the same
                self.file.close()

    def _too_large(self) -> str:
        return f"The file is larger than the {settings.MAX_UPLOAD_MB} MB that this service takes."


class RecordingParser(MultiPartParser):
    """Multipart, of which nothing is left on disk when it could not be read to its end."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> DataAndFiles[Any, Any]:
        handlers = (parser_context or {})["request"].upload_handlers
        try:
            parsed = super().parse(stream, media_type, parser_context)
        except BaseException:  # a worker that is stopped raises SystemExit
            for handler in handlers:
                handler.upload_interrupted()
            raise
        if any(getattr(handler, "broken", False) for handler in handlers):
            raise ParseError("The body ended in the middle of the file.")
        return parsed
