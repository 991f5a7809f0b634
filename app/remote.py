"""Folders in object storage, such as S3, through fsspec, with a limit on the time and the bytes of each call."""

import errno
import logging
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from app.errors import InvalidBucket

PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "abfs": "adlfs"}
"""The package of each scheme, which fsspec needs."""

OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"connect_timeout": 5, "read_timeout": 20, "retries": {"max_attempts": 1}}}
}
"""The store's own limits, so that a call fails with its reason, and not only by its time limit."""

CALL_S = 10.0
"""The time limit of a call, beside the time for what it transfers."""

SLOWEST_BYTES_PER_S = 150_000
CHUNK_BYTES = 8 * 2**20
"""A file is fetched in parts of this size."""

LIBRARIES = "fsspec", "s3fs", "aiobotocore", "botocore", "gcsfs", "adlfs", "azure", "google", "aiohttp", "urllib3"
"""Their debug messages contain tokens and signatures of requests."""

REASONS = {
    "NoCredentialsError": "there are no credentials for it in the environment",
    "PartialCredentialsError": "its credentials in the environment are not complete",
    "EndpointConnectionError": "it cannot be reached",
    "ConnectTimeoutError": "it cannot be reached",
    "ClientConnectorError": "it cannot be reached",
}
"""What errors of the libraries mean, by their names. Their own messages may contain an address with secrets."""

_URL = re.compile(r"(?P<scheme>[a-z0-9]+)://(?P<place>[A-Za-z0-9._-]+(/[A-Za-z0-9._=+-]+)*)/?")


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file in object storage.

    size: in bytes
    tag: changes with the content: the store's entity tag, or else the time of the last change
    """

    size: int
    tag: str


class RemoteFolder:
    """The files whose keys begin with `url` and a slash. Paths are relative to it. Any thread may call any method.

    Credentials come from the environment, as the package of the scheme documents. Methods raise OSError, whose
    `filename` is a URL, and whose message holds no secret. Raises InvalidBucket.
    """

    def __init__(self, url: str) -> None:
        found = _URL.fullmatch(url)
        if found is None:
            raise InvalidBucket(_refusal(url))
        package = PACKAGES.get(found["scheme"])
        if package is None:
            raise InvalidBucket(f"buckets are named by {_known()}, and not by {found['scheme']}://")
        try:
            import_module(package)
            from fsspec import filesystem
            from fsspec.asyn import sync
        except ImportError as error:
            raise InvalidBucket(
                f"{url} needs the package {package}: pip install {package}, or the extra `s3` for s3://"
            ) from error
        for library in LIBRARIES:
            logging.getLogger(library).setLevel(logging.WARNING)
        self.url = f"{found['scheme']}://{found['place']}"
        self._path, self._sync = found["place"], sync
        try:
            self._store = filesystem(found["scheme"], use_listings_cache=False, **OPTIONS.get(found["scheme"], {}))
        except Exception as error:
            reason = f"{self.url} cannot be used ({type(error).__name__}); check the variables of {package}"
        else:
            return
        raise InvalidBucket(reason)

    def files(self) -> Mapping[str, RemoteFile]:
        """All files by their paths; empty if there are none."""
        found = self._call("", CALL_S, "find", self._path, detail=True)
        return {
            name.removeprefix(f"{self._path}/"): RemoteFile(int(each["size"] or 0), _tag(each))
            for name, each in found.items()
            if each["type"] == "file"
        }

    def file(self, path: str) -> RemoteFile:
        """A file."""
        found = self._call(path, CALL_S, "info", f"{self._path}/{path}")
        return RemoteFile(int(found["size"] or 0), _tag(found))

    def read(self, path: str, start: int, end: int) -> bytes:
        """The bytes of a file from `start` to before `end`; the file must have so many."""
        if start == end:
            return b""
        limit_s = CALL_S + (end - start) / SLOWEST_BYTES_PER_S
        content: bytes = self._call(path, limit_s, "cat_file", f"{self._path}/{path}", start=start, end=end)
        if len(content) != end - start:
            raise OSError(errno.EIO, "it was changed while it was read", self.place(path))
        return content

    def download(self, path: str, size: int, target: Path) -> None:
        """Writes a file of `size` bytes to `target`."""
        with target.open("wb") as file:
            for start in range(0, size, CHUNK_BYTES):
                file.write(self.read(path, start, min(size, start + CHUNK_BYTES)))

    def upload(self, source: Path, path: str) -> None:
        """Writes a file, which others see when it is complete."""
        limit_s = CALL_S + source.stat().st_size / SLOWEST_BYTES_PER_S
        self._call(path, limit_s, "put_file", str(source), f"{self._path}/{path}")

    def write(self, path: str, content: bytes) -> None:
        """Writes a small file, which others see when it is complete."""
        self._call(path, CALL_S, "pipe_file", f"{self._path}/{path}", content)

    def remove(self, path: str) -> None:
        """Removes all files below a path; nothing happens if there are none."""
        for file in self._call(path, CALL_S, "find", f"{self._path}/{path}"):
            self._call(path, CALL_S, "rm_file", file)

    def place(self, path: str) -> str:
        """The URL of a file, for messages."""
        return f"{self.url}/{path}" if path else self.url

    def _call(self, path: str, limit_s: float, method: str, *values: object, **options: object) -> Any:
        """Calls a method of the store. `path` is the file that a message names."""
        try:
            # fsspec's methods without an underscore have no time limit.
            return self._sync(self._store.loop, getattr(self._store, f"_{method}"), *values, timeout=limit_s, **options)
        except Exception as error:
            number, reason = _reason(error, limit_s)
        raise OSError(number, reason, self.place(path))  # here, so that it has no context with the library's message


def is_url(text: str) -> bool:
    """Whether a text names a bucket rather than a folder."""
    return "://" in text


def _known() -> str:
    return ", ".join(f"{scheme}://" for scheme in PACKAGES)


def _refusal(url: str) -> str:
    """Why a URL cannot be used. The URL is not shown: it may hold a secret."""
    if any(sign in url.partition("://")[2] for sign in "@?#:"):
        return (
            "the URL of a bucket has no user, password or options; credentials come from the environment, such as "
            "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, from a file such as ~/.aws/credentials, or from the machine"
        )
    return f"give the URL of a bucket such as s3://BUCKET/PREFIX ({_known()}), with letters, digits and . _ = + - only"


def _tag(info: Mapping[str, Any]) -> str:
    names = "ETag", "etag", "LastModified", "last_modified", "updated", "mtime"
    return next((str(info[name]) for name in names if info.get(name)), "")


def _reason(error: Exception, limit_s: float) -> tuple[int, str]:
    """The number and the message for an error of the libraries."""
    kind = type(error).__name__
    if isinstance(error, TimeoutError):
        return errno.ETIMEDOUT, f"it does not answer within {limit_s:.3g} s"
    if isinstance(error, FileNotFoundError):
        return errno.ENOENT, "it is not there"
    if isinstance(error, PermissionError):
        return errno.EACCES, "access is denied; check the credentials in the environment"
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno, f"it cannot be read or written ({os.strerror(error.errno)})"
    return errno.EIO, REASONS.get(kind, f"it cannot be read or written ({kind})")
