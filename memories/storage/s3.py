"""Where audio lies on AWS: a private bucket. Importing this costs boto3."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from tempfile import TemporaryFile
from threading import Lock
from typing import IO, Any

from boto3.exceptions import Boto3Error
from boto3.s3.transfer import TransferConfig
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.conf import settings
from django.core.files.base import File
from s3transfer.exceptions import RetriesExceededError
from storages.backends.s3 import S3Storage
from storages.utils import clean_name

MEGABYTE = 1024 * 1024
ADDRESS_SECONDS = 900  # the life of an address to listen at
ENCRYPTION = {"ServerSideEncryption": "AES256"}
NOT_THERE = frozenset({"404", "NoSuchKey", "NoSuchUpload", "NotFound"})


@contextmanager
def os_errors() -> Iterator[None]:
    """What S3 answers, or what befalls us on the way there, as a file system would say it: all rooms know that."""
    try:
        yield
    except ClientError as error:
        code = error.response["Error"]["Code"]
        if code in NOT_THERE:
            raise FileNotFoundError(errno.ENOENT, f"S3 says {code}") from error
        raise OSError(errno.EIO, f"S3 says {code}") from error
    except (BotoCoreError, Boto3Error, RetriesExceededError) as error:
        raise OSError(errno.EIO, f"S3 cannot be reached: {type(error).__name__}") from error


# A transfer takes one part after the other, in the thread that asks: it holds a block or two, however many run at once.
TRANSFERS = TransferConfig(use_threads=False, multipart_chunksize=8 * MEGABYTE)


def _client_config(endpoint_url: str | None) -> Config:
    return Config(
        signature_version="s3v4",
        # "auto" signs for the global address, which redirects to the region: no signature outlives that.
        s3={"addressing_style": "path" if endpoint_url else "virtual"},
        connect_timeout=3,
        read_timeout=30,
        retries={"mode": "standard", "total_max_attempts": 3},
    )


class PrivateS3Storage(S3Storage):  # type: ignore[misc]  # django-storages has no types
    """Nobody reads without a signature (SigV4) that lives for minutes; encrypted; keys are unique, so none is asked for
    before it is written. Raises OSErrors only: FileNotFoundError where there is no such object, else EIO.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"client_config": _client_config(options.get("endpoint_url")), **options})
        self._lock = Lock()
        self._connection: Any = None

    def get_default_settings(self) -> dict[str, Any]:
        own = {
            "file_overwrite": True,
            "object_parameters": ENCRYPTION,
            "querystring_expire": ADDRESS_SECONDS,
            "transfer_config": TRANSFERS,
        }
        return {**super().get_default_settings(), **own}

    @property
    def connection(self) -> Any:
        """One for all threads, where django-storages makes one for each: a client is safe to share, and takes 12 MB."""
        with self._lock:
            if self._connection is None:
                self._connection = self._create_session().resource(
                    "s3", region_name=self.region_name, endpoint_url=self.endpoint_url, config=self.client_config
                )
            return self._connection

    @property
    def client(self) -> Any:
        return self.connection.meta.client

    @os_errors()
    def reach(self) -> None:
        """Raises OSError unless the bucket is there, and is ours."""
        self.client.head_bucket(Bucket=self.bucket_name)

    @os_errors()
    def _open(self, name: str, mode: str = "rb") -> Download:
        if mode != "rb":
            raise ValueError("Objects are read whole, and written whole by `save`.")
        return Download(self, name)

    @os_errors()
    def fetch(self, name: str) -> IO[bytes]:
        """The object in a temporary file that has no name, so that not even a kill leaves it behind."""
        file: IO[bytes] = TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR)  # noqa: SIM115 (whoever gets it closes it)
        try:
            key = self._normalize_name(clean_name(name))
            self.bucket.Object(key).download_fileobj(file, Config=self.transfer_config)
            file.seek(0)
        except BaseException:
            file.close()
            raise
        return file

    @os_errors()
    def _save(self, name: str, content: Any) -> str:
        """A file on disk is read as it is sent; of an open one, as django-storages has it, boto3 holds whole parts."""
        if not hasattr(content, "temporary_file_path"):
            return str(super()._save(name, content))
        key = self._normalize_name(clean_name(name))
        parameters = self._get_write_parameters(key, content)
        self.client.upload_file(
            content.temporary_file_path(), self.bucket_name, key, ExtraArgs=parameters, Config=self.transfer_config
        )
        return name

    @os_errors()
    def delete(self, name: str) -> None:
        super().delete(name)

    @os_errors()
    def exists(self, name: str) -> bool:
        there: bool = super().exists(name)
        return there

    def names(self, folder: str) -> Iterator[str]:
        """Every object below it. One request brings a thousand; folder by folder it would be one for each day, and S3
        has its price for each.
        """
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket_name, Prefix=f"{folder}/")
        with os_errors():
            for page in pages:
                yield from (entry["Key"] for entry in page.get("Contents", ()))

    @os_errors()
    def size(self, name: str) -> int:
        size: int = super().size(name)
        return size

    @os_errors()
    def get_modified_time(self, name: str) -> datetime:
        time: datetime = super().get_modified_time(name)
        return time

    @os_errors()
    def url(
        self,
        name: str | None,
        parameters: dict[str, Any] | None = None,
        expire: int | None = None,
        http_method: str | None = None,
    ) -> str:
        url: str = super().url(name, parameters, expire, http_method)
        return url


class Download(File):  # type: ignore[type-arg]
    """An object in a temporary file: seekable, and gone once it is closed. `open` fetches it again then."""

    def __init__(self, storage: PrivateS3Storage, name: str) -> None:
        super().__init__(storage.fetch(name), name)
        self._storage = storage

    def open(self, *args: Any, **kwargs: Any) -> Download:
        if self.closed:
            self.file = self._storage.fetch(str(self.name))
        self.seek(0)
        return self
