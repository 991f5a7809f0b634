"""Writes pictures of any size as pyramids, row by row: tiled BigTIFF files, as viewers of large pictures read them."""

import os
import zlib
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from struct import pack
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

TILE = 256
_GREY, _RGB = 0, 2  # colour types of PNG


class PyramidWriter:
    """Writes a picture [H,W] or [H,W,3] of uint8, or [H,W] of uint16, that comes in rows from top to bottom.

    libvips (the extra `large`) makes the pyramid while the rows arrive, each level half as large as the one before, in
    tiles of 256 pixels that are compressed without loss. It reads the rows from a pipe, as a PNG that is not
    compressed. `description` is the ImageDescription of the file (TIFF 6.0, tag 270). Leaving the `with` block finishes
    the file; after an error it is incomplete. Raises OSError if it cannot be written.
    """

    def __init__(
        self, path: Path, height: int, width: int, channels: int = 1, bits: int = 8, description: str = ""
    ) -> None:
        self._dtype = np.dtype(">u2") if bits == 16 else np.dtype(np.uint8)
        self._packer = zlib.compressobj(0)
        reading, writing = os.pipe()
        self._pipe = os.fdopen(writing, "wb", buffering=2**20)
        self._threads = ThreadPoolExecutor(1, "tessera-pyramid")
        self._saved: Future[None] = self._threads.submit(_save, reading, path, description)
        self._pipe.write(b"\x89PNG\r\n\x1a\n")
        self._chunk(b"IHDR", pack(">IIBBBBB", width, height, bits, _RGB if channels == 3 else _GREY, 0, 0, 0))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        try:
            if error is None:
                self._chunk(b"IDAT", self._packer.flush())
                self._chunk(b"IEND", b"")
            with suppress(BrokenPipeError):  # the reason follows
                self._pipe.close()
            if error is None:
                self._saved.result()
        finally:
            self._threads.shutdown()

    def write(self, rows: NDArray[np.uint8 | np.uint16]) -> None:
        """The next rows, [n,W] or [n,W,3]."""
        flat = np.ascontiguousarray(rows, self._dtype).reshape(len(rows), -1).view(np.uint8)
        filtered = np.zeros((len(rows), flat.shape[1] + 1), np.uint8)  # each row begins with its filter: none
        filtered[:, 1:] = flat
        self._chunk(b"IDAT", self._packer.compress(filtered.data))

    def _chunk(self, kind: bytes, data: bytes) -> None:
        try:
            self._pipe.write(pack(">I", len(data)) + kind)
            self._pipe.write(data)
            self._pipe.write(pack(">I", zlib.crc32(data, zlib.crc32(kind))))
        except BrokenPipeError:
            self._saved.result()  # raises why
            raise


def _save(reading: int, path: Path, description: str) -> None:
    import pyvips  # an extra, and slow to import

    try:
        source = pyvips.Source.new_from_descriptor(reading)
        image: Any = pyvips.Image.new_from_source(source, "", access="sequential", fail_on="truncated")
        image = image.copy()  # metadata of an image that others may use cannot be set
        image.set_type(pyvips.GValue.gstr_type, "image-description", description)
        layout = {"tile": True, "tile_width": TILE, "tile_height": TILE, "pyramid": True, "bigtiff": True}
        target = pyvips.Target.new_to_file(str(path))
        image.tiffsave_target(target, compression="deflate", predictor="horizontal", **layout)
    except pyvips.Error as error:
        reason = " ".join(str(error.detail).split())
        raise OSError(f"{path.name} cannot be written: {reason}") from error
    finally:
        os.close(reading)
