"""Reads pictures of any size row by row, by libvips (the extra `large`).

libvips decodes only what is asked for, so that memory depends on the width of a picture, and not on its height. It is
for files of the operator: unlike `decode`, it is not bounded in time for hostile files. `app/decoders/rows.py` reads
those of others in a process with limits.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from app.errors import DamagedImage, UnsupportedImage
from app.row_memory import apart

if TYPE_CHECKING:
    from torch import Tensor

FORMATS = ("TIFF", "PNG", "JPEG", "WebP")
ROWS = 256
"""The number of rows that are decoded at once: those of the tiles of most TIFF files."""

_LOADERS = re.compile(r"(tiff|png|jpeg|webp)load")
_GREY, _RGB = ("b-w", "grey16"), ("rgb", "srgb", "rgb16")
_UPRIGHT, _MIRRORED = 1, 2  # orientations whose rows can be read in their order in the file


class LargePicture:
    """A picture in a file, upright, as a source of rows [C,n,W], C = 1 (grey) or 3 (RGB), uint8 or uint16 (grey).

    Pixels are converted as by `decode`: transparency is composited over white, and RGB of more than 8 bits keeps its
    upper 8 bits. Of several pages, or of a pyramid, the first is read. The rows of a picture that is turned by its
    orientation are decoded into a temporary file first, in the folder that the variable TMPDIR names.

    Raises `UnsupportedImage` for other formats and kinds of pixels, and `DamagedImage` for damage, also while rows are
    read; messages call the picture `name`, by default that of its file.
    """

    def __init__(self, path: Path, name: str = "") -> None:
        self._path, self._name, self._vips = path, name or path.name, _library()
        self.restart()
        self.size = (self._image.height, self._image.width)
        self.channels, self.bits = int(self._image.bands), 16 if self._image.format == "ushort" else 8
        self.white = float(2**self.bits - 1)

    def read(self, count: int) -> "Tensor":
        """The next `count` rows."""
        import torch  # not at the top, because the processes that decode uploads do not need it

        return torch.from_numpy(self.read_array(count))

    def read_array(self, count: int) -> NDArray[np.uint8 | np.uint16]:
        """The next `count` rows, in a new array."""
        dtype = np.uint16 if self._image.format == "ushort" else np.uint8
        out: NDArray[np.uint8 | np.uint16] = apart((self._image.bands, count, self._image.width), dtype)
        try:
            for top in range(0, count, ROWS):
                rows = min(ROWS, count - top)
                # A region keeps what was decoded beyond these rows. Crops would decode it again, or fail.
                band = self._region.fetch(0, self._next, self._image.width, rows)
                values = np.frombuffer(band, dtype).reshape(rows, self._image.width, -1)
                out[:, top : top + rows] = values.transpose(2, 0, 1)
                self._next += rows
        except self._vips.Error as error:
            raise self._damaged(error) from error
        return out

    def restart(self) -> None:
        """Begins with the first row again."""
        self._image, self._next = self._opened(), 0
        self._region = self._vips.Region.new(self._image)

    def _opened(self) -> Any:
        """libvips's image, upright, with 1 or 3 bands of 8 or 16 bits."""
        try:
            image = self._loaded(access="sequential")
            loader = str(image.get("vips-loader"))
            if not _LOADERS.match(loader):
                raise UnsupportedImage(
                    f"pictures of any size are read from {', '.join(FORMATS)}, not by {loader}; save it as one of these"
                )
            orientation = image.get("orientation") if image.get_typeof("orientation") else _UPRIGHT
            if orientation == _MIRRORED:
                image = image.fliphor()
            elif orientation != _UPRIGHT:
                image = self._loaded().autorot()
            return _converted(image, loader)
        except self._vips.Error as error:
            raise self._damaged(error) from error

    def _loaded(self, **options: str) -> Any:
        source = self._vips.Source.new_from_file(
            str(self._path)
        )  # Image.new_from_file takes a part of names as options
        return self._vips.Image.new_from_source(source, "", fail_on="error", **options)

    def _damaged(self, error: Exception) -> DamagedImage:
        reason = " ".join(str(getattr(error, "detail", error)).split())
        return DamagedImage(f"{self._name} cannot be read: {reason}; save the picture anew")


def is_available() -> bool:
    """Whether the extra `large` is installed."""
    try:
        _library()
    except ImportError:
        return False
    return True


def _library() -> Any:
    import pyvips  # an extra, and slow to import

    return pyvips


def _converted(image: Any, loader: str) -> Any:
    if image.interpretation not in (*_GREY, *_RGB) or image.format not in ("uchar", "ushort"):
        raise UnsupportedImage(
            f"the picture has pixels of the kind {image.interpretation}, {image.format}; pictures of any size are grey "
            "of 8 or 16 bits, or RGB; convert it"
        )
    colours = 1 if image.interpretation in _GREY else 3
    if image.format == "ushort" and (colours == 3 or (image.hasalpha() and loader.startswith("png"))):
        image = (image >> 8).cast("uchar")
    flat = image.extract_band(0, n=colours)
    if image.hasalpha():
        alpha, white = image.extract_band(colours).cast("double"), 255 if image.format == "uchar" else 65535
        over = (flat * alpha + (white - alpha) * white) / white
        flat = over.rint().cast(image.format)  # `flatten` would round down
    return flat
