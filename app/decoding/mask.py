"""Decodes a mask: the pixels of a picture that a person or a program marked as a defect.

A mask is not decoded as a picture, because transparency is its ground instead of white, a dark label is as much a
defect as a bright one, and lossy compression must not become specks. The rules, in this order:

1. Transparent pixels are ground: those with less than half of the mask's highest opacity. If all others are black,
   they are the defect, because the colour says nothing; else those that are not black are.
2. A lossy file (JPEG, lossy WebP and others) is cut at half of its highest value, of any colour channel.
3. In a lossless file, every pixel that is not black is a defect: white, a label from 1 on, or a colour. Soft edges and
   the traces of a lossy file that was saved anew are recognised by their values, and cut at half as well.
4. A palette counts by its colours. If none of the colours in use is black, the index 0 is the ground.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from app.decoding import png
from app.decoding.damage import reporting_damage
from app.decoding.decode import decode_array
from app.decoding.opening import open_picture
from app.decoding.orientation import as_stored, swaps_edges
from app.decoding.picture import PillowPicture
from app.decoding.pixels import new_array
from app.decoding.tiff import TiffPicture, read_by_pillow
from app.errors import UnsupportedImage

Values = NDArray[np.uint8 | np.uint16]  # [H,W]

_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
_LOSSLESS = {"PNG", "BMP"}
_COMPRESSION = 259  # TIFF tag
_LOSSY_COMPRESSIONS = {6, 7, 34712, 34892, 50001}  # JPEG (two kinds), JPEG 2000, lossy JPEG of DNG, WebP
_DARKEST_WHITE = 64  # of 255: a lossy file keeps no label below
_LOST_AREA = 9  # the edge of the smallest square that a cut at half must not lose, in pixels
_SOFT_VALUES = 4  # fewer different dark values are labels; two suffice if all are nearly black
_NEARLY_BLACK = 16  # the share of white below which a value is nearly black: one 16th
_SOFT_REACH = 16  # how far from a bright pixel the traces of a lossy file lie: a block of JPEG with halved colours
_FLAT_SHARE = 0.5  # of the dark pixels: labels are flat, and soft edges and traces are not


@dataclass(frozen=True, slots=True)
class DecodedMask:
    """A decoded mask.

    inside: [H,W], true in defects
    lossy: whether the file is lossy, and was cut at half
    soft: whether the file is lossless with soft edges or traces of a lossy file, and was cut at half
    """

    inside: NDArray[np.bool_]
    lossy: bool = False
    soft: bool = False


def decode_mask(data: bytes, *, max_pixels: int) -> DecodedMask:
    """The upright mask in a picture file by the rules of this module; raises the errors of `decode`.

    Also raises `UnsupportedImage` if the values cannot be those of a mask: a lossy file whose cut would lose areas, or
    a lossless file with several values, none of which is black.
    """
    picture = open_picture(data, max_pixels=max_pixels)
    if isinstance(picture, TiffPicture):
        if not _needs_pillow(picture):
            with reporting_damage(picture.format):
                return _opaque(_tiff_values(picture), lossy=False, soft=True)
        picture = read_by_pillow(picture.segments)
    assert isinstance(picture, PillowPicture)
    lossy = _is_lossy(picture, data)
    image = picture.image
    indexed = image.mode == "P"
    if not indexed and image.mode not in _ALPHA and "transparency" not in image.info:
        values: Values = decode_array(data, max_pixels=max_pixels).max(0)
        return _opaque(values, lossy, soft=not lossy)
    with reporting_damage(picture.format):
        if picture.format == "PNG":
            png.verify(data)
        image.load()
        values, opacity = _brightness(image), _opacity(image)
    values, opacity = (_upright(each, picture.orientation) for each in (values, opacity))
    if opacity.min() < opacity.max() or not opacity.max():
        return _on_transparent(values, opacity, lossy)
    return _opaque(values, lossy, soft=not lossy and not indexed)


def _needs_pillow(picture: TiffPicture) -> bool:
    """Whether the page has transparency or a palette. Raises `UnsupportedImage` if Pillow cannot read that."""
    has_either = picture.colours.alpha is not None or picture.colours.palette is not None
    if has_either and picture.samples.bits not in (1, 2, 4, 8):
        raise UnsupportedImage(
            f"This mask is a TIFF of {picture.samples.bits} bits with transparency or a palette; save it as PNG, or "
            "with 8 bits"
        )
    return has_either


def _tiff_values(picture: TiffPicture) -> Values:
    """The values of an opaque page. Labels in integers of 32 bits and in floats are limited to 65535."""
    samples, grey = picture.samples, picture.colours.is_grey
    if not grey or (samples.kind == "unsigned" and samples.bits <= 16):
        levels: Values = picture.load(new_array).max(0)
        return levels
    stored = picture.first_samples()
    if not np.isfinite(stored).all() or stored.min() < 0:
        raise UnsupportedImage("This mask has negative or infinite values; use 0 for the ground, more for defects")
    values = stored * 65535 if samples.kind == "float" and stored.max() <= 1 else stored
    limited: Values = np.minimum(np.ceil(values), 65535).astype(np.uint16)
    return limited


def _is_lossy(picture: PillowPicture, data: bytes) -> bool:
    if picture.format == "WebP":
        return b"VP8L" not in (data[12:16], *_webp_chunks(data))
    if isinstance(picture.image, TiffImageFile):
        return picture.image.tag_v2.get(_COMPRESSION) in _LOSSY_COMPRESSIONS
    return picture.format not in _LOSSLESS


def _webp_chunks(data: bytes) -> list[bytes]:
    """The names of the chunks of a WebP (RFC 9649, section 2)."""
    names, offset = [], 12
    while offset + 8 <= len(data):
        names.append(data[offset : offset + 4])
        length = int.from_bytes(data[offset + 4 : offset + 8], "little")
        offset += 8 + length + length % 2
    return names


def _brightness(image: ImageFile) -> Values:
    """The largest colour of each pixel, without regard to its opacity; of a palette without black, the index."""
    if image.mode in ("LA", "La"):
        return np.asarray(image.convert("LA").getchannel("L"))
    if image.mode.startswith("I;16"):
        return np.asarray(image).astype(np.uint16)
    values: Values = np.asarray(_without_key(image).convert("RGB")).max(2)
    if image.mode == "P" and values.all():
        indices: Values = np.asarray(image)
        if indices.any() and not indices.all():
            return indices
    return values


def _without_key(image: ImageFile) -> Image.Image:
    """The colours of the image as they are stored: Pillow would change those that are transparent."""
    if image.mode in ("RGBA", "RGBa", "PA"):
        return image.convert("RGBA")
    copy = image.copy()
    copy.info.pop("transparency", None)
    return copy


def _opacity(image: ImageFile) -> Values:
    """The opacity of each pixel, from 0 on."""
    key = image.info.get("transparency")
    if image.mode.startswith("I;16") and isinstance(key, int):
        return np.where(np.asarray(image) == key, np.uint8(0), np.uint8(255))
    if isinstance(key, tuple) and max(key) > 255:  # a colour of 16 bits, of which Pillow keeps 8
        return np.full((image.height, image.width), 255, np.uint8)
    return np.asarray(image.convert("RGBA").getchannel("A"))


def _upright(values: Values, orientation: int) -> Values:
    height, width = values.shape
    upright: Values = np.empty((width, height) if swaps_edges(orientation) else (height, width), values.dtype)
    as_stored(upright[None], orientation)[0] = values
    return upright


def _on_transparent(values: Values, opacity: Values, lossy: bool) -> DecodedMask:
    visible = (opacity > 0) & _at_least_half(opacity, int(opacity.max()))
    brightest = int(values.max(where=visible, initial=0))
    if not lossy:
        return DecodedMask(visible & (values > 0) if brightest else visible)
    coloured = brightest >= _DARKEST_WHITE
    return DecodedMask(visible & _at_least_half(values, brightest) if coloured else visible, lossy=True)


def _opaque(values: Values, lossy: bool, soft: bool) -> DecodedMask:
    """The defects of a mask without transparency. `soft`: whether the values may be those of soft edges."""
    brightest = int(values.max())
    if lossy:
        _require_cut(values, brightest)
        return DecodedMask(_at_least_half(values, max(brightest, 1)), lossy=True)
    darkest = int(values.min())
    if 0 < darkest < brightest:
        raise UnsupportedImage(
            f"This mask has no black pixel: its values are {darkest} to {brightest}; the ground must be black (0), or "
            "transparent"
        )
    if soft and _is_soft(values, brightest):
        return DecodedMask(_at_least_half(values, brightest), soft=True)
    return DecodedMask(values > 0)


def _at_least_half(values: Values, highest: int) -> NDArray[np.bool_]:
    return values >= (highest + 1) // 2


def _require_cut(values: Values, brightest: int) -> None:
    """Raises `UnsupportedImage` if a lossy mask, cut at half, would lose defects."""
    if 0 < brightest < _DARKEST_WHITE:
        raise UnsupportedImage(
            f"This mask is lossy, and its highest value is {brightest} of 255: lossy files do not keep such labels; "
            "save the mask as PNG"
        )
    from scipy import ndimage  # not at the top, because the processes that decode uploads do not need it

    dark = (values >= brightest // 8) & ~_at_least_half(values, brightest)
    if brightest and ndimage.minimum_filter(dark, _LOST_AREA, mode="constant").any():
        raise UnsupportedImage(
            f"This mask is lossy, so that it is cut at half of its highest value, {brightest}; it has darker areas, "
            "which would be lost. Save the mask as PNG, or with white defects"
        )


def _is_soft(values: Values, brightest: int) -> bool:
    """Whether the dark values of a lossless mask are soft edges or traces of a lossy file, and no labels."""
    white = np.iinfo(values.dtype).max
    if 2 * brightest < white:
        return False
    bright = _at_least_half(values, brightest)
    dark = (values > 0) & ~bright
    different = np.flatnonzero(np.bincount(values[dark]))
    few = 2 if different.size and different[-1] * _NEARLY_BLACK < white else _SOFT_VALUES
    if different.size < few:
        return False
    from scipy import ndimage  # as above

    if (dark & ~ndimage.maximum_filter(bright, 2 * _SOFT_REACH + 1)).any():
        return False
    flat = _like_a_neighbour(values) & _like_a_neighbour(values.T).T
    return bool(np.count_nonzero(flat & dark) < _FLAT_SHARE * np.count_nonzero(dark))


def _like_a_neighbour(values: Values) -> NDArray[np.bool_]:
    """Whether a pixel has the value of the pixel above or below."""
    same = values[1:] == values[:-1]
    found = np.zeros(values.shape, np.bool_)
    found[1:] |= same
    found[:-1] |= same
    return found
