"""Pictures of any size are read row by row in a process that is bounded."""

import io
import os
import signal
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.decoders import rows
from app.decoders.rows import PictureRows
from app.decoding import decode
from app.errors import DamagedImage, DecodingLimit, InsufficientMemory, InvalidImage, UnsupportedImage
from tests.conftest import draw_surface


@contextmanager
def reading(path: Path) -> Iterator[PictureRows]:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        source = PictureRows(descriptor, "the picture", path.parent)
    finally:
        os.close(descriptor)
    with source:
        yield source


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "a"
    Image.fromarray(draw_surface(3, 300, 200)).save(path, "TIFF")
    return path


@pytest.mark.parametrize("kind", ["png", "grey16", "turned"])
def test_rows_are_those_of_the_decoded_picture(tmp_path: Path, kind: str) -> None:
    path, drawn = tmp_path / "a", draw_surface(3, 300, 200)
    if kind == "grey16":
        Image.fromarray(drawn[..., 0].astype(np.uint16) * 200).save(path, "PNG")
    else:
        exif = Image.Exif()
        exif[0x0112] = 6 if kind == "turned" else 1
        Image.fromarray(drawn).save(path, "PNG", exif=exif)
    whole = decode(path.read_bytes(), max_pixels=10**6)
    with reading(path) as source:
        assert source.size == tuple(whole.shape[1:])
        read = torch.cat([source.read(130), source.read(source.size[0] - 130)], 1)
        assert torch.equal(read, whole)
        source.restart()
        assert torch.equal(source.read(10), whole[:, :10])


def test_damage_is_reported_with_the_pictures_name(picture: Path) -> None:
    picture.write_bytes(picture.read_bytes()[:50_000])
    with reading(picture) as source, pytest.raises(DamagedImage, match=r"^the picture cannot be read"):
        source.read(300)


def test_formats_that_are_not_read_in_rows_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a"
    Image.new("RGB", (9, 9)).save(path, "GIF")
    with pytest.raises((UnsupportedImage, DamagedImage)), reading(path):
        pass


def test_a_strip_as_large_as_the_picture_does_not_take_the_memory(tmp_path: Path) -> None:
    path, data = tmp_path / "a", zlib.compress(bytes(10**6))
    width, height = 60_000, 60_000
    tags = [(256, 4, 1, width), (257, 4, 1, height), (258, 3, 1, 8), (259, 3, 1, 8), (262, 3, 1, 1)]
    tags += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, height), (279, 4, 1, len(data))]
    file = io.BytesIO(struct.pack("<2sHI", b"II", 42, 8 + len(data)))
    file.seek(8)
    file.write(data + struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", *tag) for tag in tags) + bytes(4))
    path.write_bytes(file.getvalue())
    with pytest.raises((DamagedImage, DecodingLimit)), reading(path) as source:
        source.read(10)


def test_a_process_that_does_not_answer_is_given_up(picture: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with reading(picture) as source:
        monkeypatch.setattr(rows, "WAIT_BASE_S", 0.2)
        monkeypatch.setattr(rows, "WAIT_FACTOR", 0.0)
        os.kill(source._process.pid, signal.SIGSTOP)
        with pytest.raises(DecodingLimit, match="does not answer"):
            source.read(10)
    assert source._process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    ("number", "error", "words"),
    [
        (signal.SIGKILL, InsufficientMemory, "lack of memory"),
        (signal.SIGSEGV, InvalidImage, "crashed"),
        (signal.SIGXCPU, DecodingLimit, "processor time"),
    ],
)
def test_the_end_of_a_process_says_what_was_wrong(
    picture: Path, number: signal.Signals, error: type[Exception], words: str
) -> None:
    with reading(picture) as source:
        os.kill(source._process.pid, number)
        with pytest.raises(error, match=words):
            source.read(10)
