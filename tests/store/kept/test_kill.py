"""SIGKILL at any moment leaves the store whole."""

import hashlib
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from app.store.kept import PictureFile
from tests.store.kept.making import HARMLESS, added, opened

ROOT = Path(__file__).parent.parent.parent.parent
PROGRAM = """
import sys
from itertools import count
from pathlib import Path
from tests.store.kept.making import HARMLESS, added, opened
store = opened(Path(sys.argv[1]), bytes=2000)
for number in count(int(sys.argv[2])):
    id = added(store, number)
    if number % 3 == 0:
        picture = store.review(id, 0, HARMLESS)
        if number % 6 == 0:
            store.delete(id, picture.revision)
    print(number, flush=True)
"""


def test_a_kill_at_any_moment_leaves_every_listed_picture_with_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, number = tmp_path / "kept", 0
    for delay_s in (0.0, 0.011, 0.023, 0.047):
        command = [sys.executable, "-c", PROGRAM, str(folder), str(number)]
        writer = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert writer.stdout is not None
        for _ in range(5):
            number = int(writer.stdout.readline()) + 1
        time.sleep(delay_s)
        writer.send_signal(signal.SIGKILL)
        writer.communicate()
        number += 1000
    store = opened(folder, bytes=2000)
    found = list(store.each())
    assert found
    for picture in found:
        assert hashlib.sha256(store.read(picture.id, PictureFile.picture)).hexdigest() == picture.digest
        assert store.read(picture.id, PictureFile.heatmap) == b"heat"
    assert sum(each.bytes for each in found) <= 2000
    monkeypatch.setattr("app.store.kept.files.FORGOTTEN_S", -1.0)
    store.sweep()
    assert {each.name for each in (folder / "pictures").iterdir()} == {each.id for each in found}
    id = added(store, 10**6)
    assert store.review(id, 0, HARMLESS).review == HARMLESS
    store.close()
