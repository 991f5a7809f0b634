"""A repository in a bucket, mirrored in a directory."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.artifacts import Entry, MirroredRepository, read_artifact, read_default
from app.errors import DigestMismatch, InvalidArtifact, InvalidBucket, InvalidServing, MissingFile, UnreadableRepository
from app.files import UNFINISHED
from app.remote import RemoteFolder
from tests.buckets import Bucket
from tests.repositories import flip_a_bit
from tests.waiting import wait_until

ROOM = 2**30
WEIGHTS = "weights.safetensors"


@pytest.fixture
def filled(bucket: Bucket, models_dir: Path) -> Bucket:
    """A bucket with versions 1 and 2 of `patchcore`."""
    for version in ("1", "2"):
        bucket.put(models_dir / "patchcore" / version)
    return bucket


@pytest.fixture
def open_mirror(filled: Bucket, tmp_path: Path) -> Callable[..., MirroredRepository]:
    """A function that makes the repository as a new process does, and updates it."""

    def make(*, most_bytes: int = ROOM, update: bool = True) -> MirroredRepository:
        found = MirroredRepository(RemoteFolder(filled.url), tmp_path / "cache", most_bytes)
        if update:
            found.update()
        return found

    return make


Open = Callable[..., MirroredRepository]


def entry(mirror: MirroredRepository, version: int) -> Entry:
    return next(each for each in mirror.versions("patchcore") if each.version == version)


def load(mirror: MirroredRepository, version: int) -> str:
    """The digest of a version that was read from the directory."""
    with mirror.held(entry(mirror, version)):
        return read_artifact(entry(mirror, version)).digest


def leftovers(mirror: MirroredRepository) -> list[Path]:
    return list(mirror.root.rglob(f"{UNFINISHED}*"))


def test_a_version_is_fetched_once_when_it_is_loaded(filled: Bucket, open_mirror: Open) -> None:
    mirror = open_mirror()
    assert [each.version for each in mirror.scan("patchcore")] == [1, 2]
    assert mirror.names() == ["patchcore"] and filled.server.fetched(WEIGHTS) == 0
    digest = load(mirror, 1)
    assert load(mirror, 1) == digest and filled.server.fetched(WEIGHTS) == 1
    again = open_mirror()
    assert again.scan("patchcore") == mirror.scan("patchcore")
    assert load(again, 1) == digest and filled.server.fetched(WEIGHTS) == 1
    assert not leftovers(again)


def test_a_listing_is_all_that_an_unchanged_bucket_costs(filled: Bucket, open_mirror: Open) -> None:
    filled.write("patchcore/serving.json", json.dumps({"pinned": 1}).encode())
    mirror = open_mirror()
    mirror.serving("patchcore")
    filled.server.requests.clear()
    mirror.update()
    assert mirror.serving("patchcore").pinned == 1
    assert len(filled.server.requests) == 1


def test_content_that_is_there_is_not_fetched_again_when_its_tags_change(filled: Bucket, open_mirror: Open) -> None:
    mirror = open_mirror()
    digest = load(mirror, 1)
    (entry(mirror, 1).path / ".source").write_text(64 * "0")  # as if the files had other tags then
    assert load(mirror, 1) == digest
    assert (filled.server.fetched("manifest.json"), filled.server.fetched(WEIGHTS)) == (2, 1)
    assert open_mirror(update=False).scan("patchcore") == {entry(mirror, 1): mirror.scan("patchcore")[entry(mirror, 1)]}


def test_wrong_bytes_are_refused_and_the_right_ones_fetched_later(
    filled: Bucket, open_mirror: Open, models_dir: Path, tmp_path: Path
) -> None:
    before = open_mirror().scan("patchcore")
    weights = (models_dir / "patchcore/1" / WEIGHTS).read_bytes()
    filled.write(f"patchcore/1/{WEIGHTS}", weights[:-1] + bytes([weights[-1] ^ 1]))
    mirror = open_mirror()
    assert mirror.scan("patchcore") != before
    with pytest.raises(DigestMismatch, match=f"{filled.url}/patchcore/1/{WEIGHTS} has the SHA-256"):
        load(mirror, 1)
    assert not entry(mirror, 1).path.exists() and not leftovers(mirror)
    filled.write(f"patchcore/1/{WEIGHTS}", weights)
    mirror.update()
    assert load(mirror, 1) and load(mirror, 2)


def test_a_replaced_version_replaces_the_one_that_was_fetched(
    filled: Bucket, open_mirror: Open, models_dir: Path
) -> None:
    mirror = open_mirror()
    digest, seen = load(mirror, 2), mirror.scan("patchcore")
    manifest = json.loads((models_dir / "patchcore/2/manifest.json").read_text())
    manifest["provenance"]["dataset"] += " again"
    filled.write("patchcore/2/manifest.json", json.dumps(manifest).encode())
    mirror.update()
    assert mirror.scan("patchcore") != seen
    assert load(mirror, 2) != digest and not leftovers(mirror)


def test_a_manifest_that_is_too_large_is_refused_before_it_is_read(filled: Bucket, open_mirror: Open) -> None:
    filled.write("patchcore/1/manifest.json", bytes(8 * 2**20 + 1))
    mirror = open_mirror()
    filled.server.requests.clear()
    with pytest.raises(InvalidArtifact, match=r"has 8,388,609 bytes, and at most 8,388,608 are read"):
        load(mirror, 1)
    assert filled.server.requests == []


def test_a_record_that_is_too_large_is_refused_and_not_read_whole(filled: Bucket, open_mirror: Open) -> None:
    filled.write("patchcore/serving.json", bytes(2**20))
    mirror = open_mirror()
    with pytest.raises(InvalidServing, match="at most 131,072 are read"):
        mirror.serving("patchcore")
    assert (mirror.root / "patchcore/serving.json").stat().st_size == 131_073


def test_what_is_not_complete_in_the_bucket_is_not_served(filled: Bucket, open_mirror: Open, models_dir: Path) -> None:
    filled.write(f"patchcore/3/{WEIGHTS}", b"as far as it has come")
    filled.write("patchcore/notes.txt", b"")
    filled.write("Patchcore/1/manifest.json", b"")
    filled.remove("patchcore/2/golden.safetensors")
    mirror = open_mirror()
    assert mirror.names() == ["patchcore"]
    assert [each.version for each in mirror.versions("patchcore")] == [1, 2]
    with pytest.raises(MissingFile, match=r"patchcore/2/golden\.safetensors is missing"):
        load(mirror, 2)


def test_pins_and_the_default_model_are_followed(filled: Bucket, open_mirror: Open) -> None:
    mirror = open_mirror()
    assert (mirror.serving("patchcore").pinned, read_default(mirror.root)) == (None, None)
    for pinned in (1, 2):
        filled.write("patchcore/serving.json", json.dumps({"pinned": pinned}).encode())
        filled.write("default.json", json.dumps({"model": f"model-{pinned}"}).encode())
        mirror.update()
        assert (mirror.serving("patchcore").pinned, read_default(mirror.root)) == (pinned, f"model-{pinned}")
    filled.remove("patchcore/serving.json")
    filled.remove("default.json")
    mirror.update()
    assert (mirror.serving("patchcore").pinned, read_default(mirror.root)) == (None, None)


def test_deleted_versions_and_models_are_removed_from_the_directory(
    filled: Bucket, open_mirror: Open, models_dir: Path
) -> None:
    filled.put(models_dir / "padim/1")
    mirror = open_mirror()
    load(mirror, 1), load(mirror, 2)
    filled.remove("patchcore/1")
    mirror.update()
    assert [each.version for each in mirror.versions("patchcore")] == [2]
    assert not (mirror.root / "patchcore/1").exists() and load(mirror, 2)
    filled.remove("patchcore")
    mirror.update()
    assert mirror.names() == ["padim"] and not (mirror.root / "patchcore").exists()


def test_without_the_bucket_what_was_fetched_is_there(filled: Bucket, open_mirror: Open) -> None:
    filled.write("patchcore/serving.json", json.dumps({"pinned": 1}).encode())
    before = open_mirror()
    before.serving("patchcore")
    digest, seen = load(before, 1), before.scan("patchcore")[entry(before, 1)]
    filled.server.stop()
    try:
        mirror = open_mirror(update=False)
        with pytest.raises(UnreadableRepository, match=f"{filled.url} cannot be read: it cannot be reached"):
            mirror.update()
        assert mirror.names() == ["patchcore"] and mirror.serving("patchcore").pinned == 1
        assert mirror.scan("patchcore") == {entry(mirror, 1): seen}
        assert load(mirror, 1) == digest
    finally:
        filled.server.start()
    mirror.update()
    assert mirror.scan("patchcore")[entry(mirror, 1)] == seen
    assert load(mirror, 2)


def test_a_folder_without_files_is_unreadable_and_withdraws_nothing(filled: Bucket, open_mirror: Open) -> None:
    mirror = open_mirror()
    load(mirror, 1)
    filled.remove("patchcore")
    with pytest.raises(UnreadableRepository, match="it has no files"):
        mirror.update()
    assert mirror.names() == ["patchcore"] and load(mirror, 1)


def test_the_versions_that_were_not_used_for_longest_make_room(filled: Bucket, open_mirror: Open) -> None:
    mirror = open_mirror()
    load(mirror, 1)
    size = sum(file.stat().st_size for file in entry(mirror, 1).path.iterdir())
    small = open_mirror(most_bytes=size * 3 // 2)
    assert load(small, 2) and not entry(small, 1).path.exists()
    assert load(small, 1) and not entry(small, 2).path.exists()
    with pytest.raises(InvalidArtifact, match="may have 1,000 bytes; raise models_cache_bytes"):
        load(open_mirror(most_bytes=1000), 2)


def test_a_version_that_is_being_read_stays(filled: Bucket, open_mirror: Open) -> None:
    mirror = open_mirror()
    with mirror.held(entry(mirror, 1)):
        filled.remove("patchcore/1")
        other = open_mirror()
        assert (mirror.root / "patchcore/1/manifest.json").exists()
    other.update()
    assert not (mirror.root / "patchcore/1").exists()


def test_a_damaged_copy_is_fetched_again(filled: Bucket, open_mirror: Open) -> None:
    digest = load(open_mirror(), 1)
    mirror = open_mirror()
    flip_a_bit(entry(mirror, 1).path)
    assert load(mirror, 1) == digest and filled.server.fetched(WEIGHTS) == 2


def test_servers_of_one_machine_fetch_a_version_once(filled: Bucket, open_mirror: Open) -> None:
    mirrors = [open_mirror() for _ in range(3)]
    with ThreadPoolExecutor() as pool:
        digests = set(pool.map(lambda mirror: load(mirror, 1), mirrors))
    assert len(digests) == 1 and filled.server.fetched(WEIGHTS) == 1


def test_a_kill_during_a_fetch_leaves_nothing_that_is_served(filled: Bucket, open_mirror: Open, tmp_path: Path) -> None:
    program = f"""
from pathlib import Path
from app.artifacts import MirroredRepository
from app.remote import RemoteFolder
mirror = MirroredRepository(RemoteFolder({filled.url!r}), Path({str(tmp_path / "cache")!r}), {ROOM})
mirror.update()
with mirror.held(mirror.versions("patchcore")[0]):
    pass
"""
    mirror = open_mirror()
    filled.server.held = f"patchcore/1/{WEIGHTS}"
    try:
        with subprocess.Popen([sys.executable, "-c", program]) as process:
            wait_until(lambda: filled.server.fetched(WEIGHTS) > 0 or process.poll() is not None)
            assert mirror.sweep() == [] and leftovers(mirror)  # its writer lives
            process.kill()
    finally:
        filled.server.release()
    assert open_mirror(update=False).versions("patchcore") == []
    assert [path.parent for path in mirror.sweep()] == [mirror.root / "patchcore"]
    assert not leftovers(mirror) and load(mirror, 1)


def test_a_cache_that_cannot_be_made_is_refused(filled: Bucket, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidBucket, match="models_cache"):
        MirroredRepository(filled.folder(), tmp_path / "file/cache", ROOM)


def test_use_is_recorded_for_the_order_in_which_room_is_made(filled: Bucket, open_mirror: Open) -> None:
    mirror = open_mirror()
    load(mirror, 1)
    os.utime(entry(mirror, 1).path, (0, 0))
    load(mirror, 1)
    assert entry(mirror, 1).path.stat().st_mtime > 0
