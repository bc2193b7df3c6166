"""Uploads to S3: signed addresses, so that the bytes never pass through us. Importing this costs boto3.

A file of moderate size is one PUT, whose size, type, SHA-256 and encryption are signed: S3 takes that very file, or
none. A larger one is a multipart upload of S3, of whose parts the size is signed; joined, they are an object.
"""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from memories.errors import UploadExpired, UploadIncomplete
from memories.models import Upload
from memories.storage import storage_errors
from memories.storage.s3 import ENCRYPTION, PrivateS3Storage, os_errors
from memories.uploads.base import Part, Span, UploadTarget, spans


class S3Target(UploadTarget):
    def __init__(self, storage: PrivateS3Storage) -> None:
        self.storage = storage

    def begin(self, upload: Upload) -> None:
        if upload.part_size < upload.size:
            with storage_errors(), os_errors():
                answer = self.storage.client.create_multipart_upload(
                    **self._names(upload), ContentType=upload.content_type, **ENCRYPTION
                )
            upload.multipart_id = answer["UploadId"]

    def parts(self, upload: Upload, *, seconds: int) -> list[Part]:
        if self._is_collected(upload):
            return [Part(span, None) for span in spans(upload)]
        if not upload.multipart_id:
            return [self._whole(upload, seconds)]
        sent = self._sent(upload)
        if sent is None:
            raise UploadExpired
        return [
            Part(span, None) if _is_there(span, sent) else Part(span, self._part_address(upload, span, seconds))
            for span in spans(upload)
        ]

    def collect(self, upload: Upload) -> None:
        if self._is_collected(upload):
            return
        sent = self._sent(upload) if upload.multipart_id else None
        if sent is None or not all(_is_there(span, sent) for span in spans(upload)):
            raise UploadIncomplete
        parts = [{"PartNumber": span.number, "ETag": sent[span.number]["ETag"]} for span in spans(upload)]
        with storage_errors():
            try:
                with os_errors():
                    self.storage.client.complete_multipart_upload(
                        **self._multipart(upload), MultipartUpload={"Parts": parts}
                    )
            except FileNotFoundError:  # somebody else was faster
                if not self.storage.exists(upload.key):
                    raise UploadIncomplete from None

    def discard(self, upload: Upload) -> None:
        with storage_errors():
            if upload.multipart_id:
                self._abort(upload.key, upload.multipart_id)
            self.storage.delete(upload.key)

    def tidy(self, before: datetime) -> int:
        """Also those of the storage itself, of a process that was killed while it saved."""
        with storage_errors():
            with os_errors():
                pages = self.storage.client.get_paginator("list_multipart_uploads").paginate(
                    Bucket=self.storage.bucket_name, Prefix="audio/"
                )
                old = [item for page in pages for item in page.get("Uploads", ()) if item["Initiated"] < before]
            for item in old:
                self._abort(item["Key"], item["UploadId"])
        return len(old)

    def _is_collected(self, upload: Upload) -> bool:
        with storage_errors():
            return self.storage.exists(upload.key)

    def _sent(self, upload: Upload) -> dict[int, Any] | None:
        """The parts that are there, by their numbers; None: S3 has no such upload (any more)."""
        with storage_errors():
            try:
                with os_errors():
                    pages = self.storage.client.get_paginator("list_parts").paginate(**self._multipart(upload))
                    return {part["PartNumber"]: part for page in pages for part in page.get("Parts", ())}
            except FileNotFoundError:
                return None

    def _abort(self, key: str, multipart_id: str) -> None:
        try:
            with os_errors():
                self.storage.client.abort_multipart_upload(
                    Bucket=self.storage.bucket_name, Key=key, UploadId=multipart_id
                )
        except FileNotFoundError:
            pass  # joined, or aborted before

    def _whole(self, upload: Upload, seconds: int) -> Part:
        checksum = base64.b64encode(bytes.fromhex(upload.sha256)).decode()
        url = self._sign(
            "put_object",
            seconds,
            **self._names(upload),
            ContentLength=upload.size,
            ContentType=upload.content_type,
            ChecksumSHA256=checksum,
            **ENCRYPTION,
        )
        headers = {
            "Content-Type": upload.content_type,
            "x-amz-checksum-sha256": checksum,
            "x-amz-server-side-encryption": ENCRYPTION["ServerSideEncryption"],
        }
        return Part(spans(upload)[0], url, headers)

    def _part_address(self, upload: Upload, span: Span, seconds: int) -> str:
        return self._sign(
            "upload_part", seconds, **self._multipart(upload), PartNumber=span.number, ContentLength=span.size
        )

    def _sign(self, operation: str, seconds: int, **parameters: Any) -> str:
        with storage_errors(), os_errors():  # credentials may not be had
            url: str = self.storage.client.generate_presigned_url(operation, Params=parameters, ExpiresIn=seconds)
            return url

    def _names(self, upload: Upload) -> dict[str, str]:
        return {"Bucket": self.storage.bucket_name, "Key": upload.key}

    def _multipart(self, upload: Upload) -> dict[str, str]:
        return {**self._names(upload), "UploadId": upload.multipart_id}


def _is_there(span: Span, sent: dict[int, Any]) -> bool:
    return span.number in sent and sent[span.number]["Size"] == span.size
