"""Results of jobs in a folder of their own and in a bucket, for the code that stores and reads them."""

from pathlib import Path

import numpy as np
import pytest

from app.errors import ResultsUnavailable
from app.jobs.tiles import pyramid_of, tile_of
from app.rendering.pyramid import PyramidWriter
from app.store import BucketResults, FolderResults, JobFolders, Results
from tests.buckets import Bucket
from tests.jobs.conftest import pixels


@pytest.fixture(params=["folder", "bucket"])
def results(request: pytest.FixtureRequest, tmp_path: Path) -> Results:
    if request.param == "folder":
        return FolderResults(tmp_path / "results")
    bucket: Bucket = request.getfixturevalue("bucket")
    return BucketResults(bucket.folder())


def made(folder: Path, **contents: bytes) -> list[Path]:
    """Files with these names and contents."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return [folder / name for name in contents]


def test_files_are_moved_and_read_in_ranges(results: Results, tmp_path: Path) -> None:
    content = np.random.default_rng(0).bytes(700_000)
    files = made(tmp_path / "work", large=content, small=b"few")
    results.put("a7", 0, files)
    assert not any(file.exists() for file in files)
    large, small = results.file("a7", 0, "large"), results.file("a7", 0, "small")
    assert (large.size, small.size) == (700_000, 3) and large.tag != small.tag
    for start, end in ((0, 1), (262_143, 262_145), (699_999, 700_000), (100, 600_000), (0, 700_000)):
        assert large.read(start, end) == content[start:end]
    with pytest.raises(ResultsUnavailable, match="a7/1/large"):
        results.file("a7", 1, "large")


def test_removing_a_job_leaves_the_others(results: Results, tmp_path: Path) -> None:
    for id in ("a7", "a70"):
        results.put(id, 0, made(tmp_path / "work", file=b"few"))
    results.remove("a7")
    results.remove("a7")
    assert results.file("a70", 0, "file").size == 3
    with pytest.raises(ResultsUnavailable):
        results.file("a7", 0, "file")


def test_a_tile_is_read_by_ranges(bucket: Bucket, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2000, 2000, 3), np.uint8)
    with PyramidWriter(tmp_path / "overlay.tif", 2000, 2000, 3) as writer:
        writer.write(noise)
    size = (tmp_path / "overlay.tif").stat().st_size
    results = BucketResults(bucket.folder())
    results.put("a7", 0, [tmp_path / "overlay.tif"])
    file = results.file("a7", 0, "overlay.tif")
    assert pyramid_of(file).levels >= 3
    assert (pixels(tile_of(file, 0, 2, 1, lossless=True)) == noise[256:512, 512:768]).all()
    read = sum(last - first + 1 for first, last in bucket.server.ranges)
    assert size > 10_000_000 and read < size / 4
    bucket.server.ranges.clear()
    tile_of(file, 0, 2, 1, lossless=True)
    assert bucket.server.ranges == []  # the blocks are in memory


def test_a_tile_of_a_bucket_that_is_away_is_an_error(bucket: Bucket, tmp_path: Path) -> None:
    with PyramidWriter(tmp_path / "mask.tif", 600, 600) as writer:
        writer.write(np.zeros((600, 600), np.uint8))
    results = BucketResults(bucket.folder())
    results.put("a7", 0, [tmp_path / "mask.tif"])
    file = results.file("a7", 0, "mask.tif")
    bucket.server.stop()
    try:
        with pytest.raises(ResultsUnavailable, match="it cannot be reached"):
            tile_of(file, 0, 0, 0, lossless=True)
    finally:
        bucket.server.start()
    assert tile_of(file, 0, 0, 0, lossless=True)


def test_results_that_cannot_be_removed_are_removed_later(bucket: Bucket, tmp_path: Path) -> None:
    folders = JobFolders(tmp_path / "jobs", BucketResults(bucket.folder()))
    folders.results.put("a7", 0, made(tmp_path / "work", file=b"few"))
    folders.remove("a7")
    bucket.server.stop()
    try:
        with pytest.raises(OSError, match="it cannot be reached"):
            folders.remove_results()
    finally:
        bucket.server.start()
    assert bucket.files() == ["a7/0/file"]
    JobFolders(tmp_path / "jobs", BucketResults(bucket.folder())).remove_results()  # after a restart
    assert bucket.files() == []
