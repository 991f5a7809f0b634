"""Folders in object storage, against a real S3 server."""

import errno
import logging
from importlib.util import find_spec
from pathlib import Path

import pytest

from app import remote
from app.errors import InvalidBucket
from app.remote import CHUNK_BYTES, RemoteFolder
from tests.buckets import KEY, SECRET, Bucket


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("s3://AKIA7:hunter2@plant/models", "credentials come from the environment"),
        ("s3://plant/models?token=hunter2", "credentials come from the environment"),
        ("s3://plant/models#hunter2", "credentials come from the environment"),
        ("hunter2@s3://plant/models", "letters, digits"),
        ("simplecache::s3://plant/models", "letters, digits"),
        ("s3://", "s3://BUCKET/PREFIX"),
        ("s3://plant//models", "s3://BUCKET/PREFIX"),
        ("file:///srv/models", "s3://BUCKET/PREFIX"),
        ("http://plant/models", "s3://, gs://, abfs://, and not by http://"),
    ],
)
def test_an_address_that_is_no_bucket_is_refused_without_showing_secrets(url: str, words: str) -> None:
    with pytest.raises(InvalidBucket, match=words) as caught:
        RemoteFolder(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.skipif(find_spec("gcsfs") is not None, reason="gcsfs is installed")
def test_a_missing_package_is_named() -> None:
    with pytest.raises(InvalidBucket, match="pip install gcsfs"):
        RemoteFolder("gs://plant/models")


def test_files_are_listed_and_come_back_as_they_were_written(bucket: Bucket, tmp_path: Path) -> None:
    folder, large = bucket.folder(), tmp_path / "large"
    large.write_bytes(bytes(range(256)) * (CHUNK_BYTES // 256) + b"end")
    assert folder.files() == {}
    folder.upload(large, "a/large")
    folder.write("small", b"few")
    folder.write("empty", b"")
    found = folder.files()
    assert {path: file.size for path, file in found.items()} == {"a/large": CHUNK_BYTES + 3, "empty": 0, "small": 3}
    folder.download("a/large", CHUNK_BYTES + 3, tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == large.read_bytes()
    assert (folder.read("small", 0, 3), folder.read("small", 0, 2), folder.read("empty", 0, 0)) == (b"few", b"fe", b"")
    folder.write("small", b"new")
    assert folder.files()["small"] != found["small"] and folder.files()["empty"] == found["empty"]


def test_other_folders_whose_names_begin_alike_are_not_listed(bucket: Bucket) -> None:
    RemoteFolder(f"{bucket.url}2").write("a", b"")
    bucket.folder().write("b", b"")
    assert list(bucket.folder().files()) == ["b"]


def test_what_is_missing_shorter_or_in_no_bucket_is_an_error_that_names_it(bucket: Bucket) -> None:
    folder = bucket.folder()
    with pytest.raises(FileNotFoundError, match=f"it is not there.*{bucket.url}/missing"):
        folder.read("missing", 0, 1)
    folder.write("short", b"few")
    with pytest.raises(OSError, match="it was changed while it was read"):
        folder.read("short", 0, 4)
    with pytest.raises(FileNotFoundError):
        RemoteFolder("s3://no-such-bucket/models").files()


def test_a_server_that_does_not_answer_is_left_at_the_time_limit(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bucket.folder()
    folder.write("a", b"few")
    bucket.server.held = "/a"
    monkeypatch.setattr(remote, "CALL_S", 0.3)
    try:
        with pytest.raises(TimeoutError, match=r"does not answer within 0\.3 s"):
            folder.read("a", 0, 3)
    finally:
        bucket.server.release()
        monkeypatch.undo()
    assert folder.read("a", 0, 3) == b"few"


def test_a_server_that_is_away_says_so(bucket: Bucket) -> None:
    folder = bucket.folder()
    bucket.server.stop()
    try:
        with pytest.raises(OSError, match="it cannot be reached") as caught:
            folder.files()
    finally:
        bucket.server.start()
    assert caught.value.errno == errno.EIO
    assert folder.files() == {}


def test_without_credentials_the_message_says_so(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec import get_filesystem_class

    get_filesystem_class("s3").clear_instance_cache()  # as in a new process
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(OSError, match="there are no credentials"):
        bucket.folder().files()
    get_filesystem_class("s3").clear_instance_cache()


def test_debug_messages_hold_no_credentials(bucket: Bucket, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        folder = bucket.folder()
        folder.write("a", b"few")
        folder.files()
    for secret in (KEY, SECRET, "Signature"):
        assert secret not in caplog.text
