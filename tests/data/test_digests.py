import hashlib
from pathlib import Path

from app.data import UnreadablePolicy, read_digests, read_headers
from tests.data.conftest import Draw


def test_headers_have_the_digests_of_their_files(draw: Draw) -> None:
    paths = [draw("0.png", 1), draw("1.png", 2)]
    expected = {path: hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in paths}
    assert {path: file.digest for path, file in read_headers(paths, UnreadablePolicy()).items()} == expected
    assert read_digests([*paths, Path("nowhere.png")]) == expected
