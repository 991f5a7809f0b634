"""Decoders that could replace Pillow: from bytes to contiguous [C,H,W] uint8, after the checks of `decode`.

Contract: each function takes `grey`, returns the decoder of grey or of RGB pictures, and raises ImportError if its
package is not installed. The checks are those that `app.decoding.decode` makes before it decodes pixels: header,
limits, EXIF, CRCs of a PNG.
"""

import sys
from collections.abc import Callable
from functools import partial

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from app.decoding import decode, png
from app.decoding.opening import open_picture

MAX_PIXELS = 1 << 26
Pixels = npt.NDArray[np.uint8]
Decoder = Callable[[bytes], Tensor]
_BAND_PIXELS = 1 << 16


def check(data: bytes) -> None:
    """The checks of `decode` that need no pixels."""
    if open_picture(data, max_pixels=MAX_PIXELS).format == "PNG":
        png.verify(data)


def tessera(grey: bool) -> Decoder:
    """`app.decoding.decode`."""
    return partial(decode, max_pixels=MAX_PIXELS)


def simplejpeg(grey: bool) -> Decoder:
    """libjpeg-turbo; pixels have four bytes, because numpy splits them into channels faster than pixels of three."""
    import simplejpeg

    read = partial(simplejpeg.decode_jpeg, colorspace="GRAY" if grey else "RGBX")
    return _checked(lambda data: _from_words(read(data)))


def imagecodecs_jpeg(grey: bool) -> Decoder:
    """libjpeg-turbo."""
    from imagecodecs import jpeg8_decode

    return _checked(lambda data: _planes(jpeg8_decode(data)))


def imagecodecs_png(grey: bool) -> Decoder:
    """libpng with zlib-ng."""
    from imagecodecs import png_decode

    return _checked(lambda data: _planes(png_decode(data)))


def imagecodecs_spng(grey: bool) -> Decoder:
    """libspng with zlib-ng."""
    from imagecodecs import spng_decode

    return _checked(lambda data: _planes(spng_decode(data)))


def pyspng(grey: bool) -> Decoder:
    """libspng, in pyspng-seunglab or in pyspng."""
    import pyspng

    return _checked(lambda data: _planes(pyspng.load(data)))


def opencv(grey: bool) -> Decoder:
    """libjpeg-turbo or libpng; the channels are split by OpenCV, which is faster than numpy's copy."""
    import cv2

    cv2.setNumThreads(1)
    flags = cv2.IMREAD_GRAYSCALE if grey else cv2.IMREAD_COLOR_RGB

    def read(data: bytes) -> Tensor:
        pixels = cv2.imdecode(np.frombuffer(data, np.uint8), flags | cv2.IMREAD_IGNORE_ORIENTATION)
        assert pixels is not None  # OpenCV returns None for a damaged picture
        if grey:
            return _planes(pixels)
        planes = np.empty((3, *pixels.shape[:2]), np.uint8)
        for rows in _bands(pixels):
            cv2.split(pixels[rows], [plane[rows] for plane in planes])
        return torch.from_numpy(planes)

    return _checked(read)


JPEG: dict[str, Callable[[bool], Decoder]] = {
    "tessera": tessera,
    "simplejpeg": simplejpeg,
    "imagecodecs-jpeg8": imagecodecs_jpeg,
    "opencv": opencv,
}
PNG: dict[str, Callable[[bool], Decoder]] = {
    "tessera": tessera,
    "pyspng": pyspng,
    "imagecodecs-png": imagecodecs_png,
    "imagecodecs-spng": imagecodecs_spng,
    "opencv": opencv,
}
PACKAGES = (
    "pillow",
    "simplejpeg",
    "imagecodecs",
    "pyspng-seunglab",
    "opencv-python-headless",
    "zlib-ng",
    "isal",
    "deflate",
)


def _checked(read: Decoder) -> Decoder:
    def checked(data: bytes) -> Tensor:
        check(data)
        return read(data)

    return checked


def _planes(pixels: Pixels) -> Tensor:
    if pixels.ndim == 2 or pixels.shape[2] == 1:
        return torch.from_numpy(pixels.reshape(1, *pixels.shape[:2]))
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))


def _from_words(pixels: Pixels) -> Tensor:
    if pixels.shape[2] == 1:
        return _planes(pixels)
    assert sys.byteorder == "little"
    words = pixels.view(np.uint32)[..., 0]
    planes = np.empty((3, *words.shape), np.uint8)
    for rows in _bands(pixels):
        for channel, plane in enumerate(planes):
            plane[rows] = words[rows] >> 8 * channel
    return torch.from_numpy(planes)


def _bands(pixels: Pixels) -> list[slice]:
    rows = max(1, _BAND_PIXELS // pixels.shape[1])
    return [slice(top, top + rows) for top in range(0, pixels.shape[0], rows)]
