"""Turns the bytes of strips or tiles into samples: integers or floats, one for each colour of each pixel."""

import numpy as np
import numpy.typing as npt

from app.decoding.tiff.directory import Directory
from app.decoding.tiff.refusal import refusal
from app.decoding.tiff.sample_type import SampleType
from app.decoding.tiff.segments import Bytes, Segments
from app.decoding.tiff.tags import Tag

Values = npt.NDArray[np.unsignedinteger | np.signedinteger | np.floating]

_NONE, _DIFFERENCE, _FLOAT = 1, 2, 3
_KINDS = {"unsigned": "u", "signed": "i", "float": "f"}


def read_predictor(page: Directory, samples: SampleType, *, compressed: bool) -> int:
    """The predictor, which only compressed bytes have; raises UnsupportedImage if there is no rule for it."""
    number = page.integer(Tag.Predictor, _NONE) if compressed else _NONE
    whole = samples.bits in (8, 16, 32, 64)
    known = number == _NONE or (number == _DIFFERENCE and whole) or (number == _FLOAT and samples.kind == "float")
    if not known:
        state = f"is {number}, with {samples.bits} bits of {samples.kind} numbers"
        raise refusal(Tag.Predictor, state, "save the picture without a predictor")
    return number


def libtiff_predictor(predictor: int, samples: SampleType, segments: Segments) -> int:
    """The predictor that libtiff undoes while it unpacks bytes: 2 if a pixel is one byte, which is quicker there."""
    is_byte = samples.bits == 8 and segments.samples == 1
    return _DIFFERENCE if predictor == _DIFFERENCE and is_byte else _NONE


def values_of(rows: Bytes, columns: int, count: int, samples: SampleType, order: str, predictor: int) -> Values:
    """The samples of rows of bytes: [..,row_bytes] to [..,columns,count], in the byte order of the machine."""
    if predictor == _FLOAT:
        return _undo_float(rows, columns, count, samples)
    values = _unpacked(rows, columns * count, samples, order)
    values = values.reshape(*rows.shape[:-1], columns, count)
    if predictor == _DIFFERENCE:
        values = np.add.accumulate(values, axis=-2, dtype=values.dtype)
    return values


def _unpacked(rows: Bytes, number: int, samples: SampleType, order: str) -> Values:
    """[..,row_bytes] to [..,number]."""
    if samples.is_packed:
        return _from_bits(rows, number, samples.bits)
    size = samples.bits // 8
    rows = np.ascontiguousarray(rows[..., : number * size])
    if size == 3:
        parts = rows.reshape(*rows.shape[:-1], number, 3).astype(np.uint32)
        low, middle, high = (parts[..., index] for index in (range(3) if order == "<" else (2, 1, 0)))
        return low | middle << 8 | high << 16
    kind = f"{_KINDS[samples.kind]}{size}"
    return rows.view(order + kind).astype(kind, copy=False)


def _from_bits(rows: Bytes, number: int, bits: int) -> Values:
    """Samples of up to 16 bits from a stream of bits, the highest first."""
    if bits == 1:
        return np.unpackbits(rows, axis=-1)[..., :number]
    start = np.arange(number) * bits
    byte = np.zeros((*rows.shape[:-1], rows.shape[-1] + 2), np.uint32)
    byte[..., :-2] = rows
    window = byte[..., :-2] << 16 | byte[..., 1:-1] << 8 | byte[..., 2:]
    shift = (24 - bits - start % 8).astype(np.uint32)
    values: Values = (window[..., start // 8] >> shift & (2**bits - 1)).astype(np.uint8 if bits < 8 else np.uint16)
    return values


def _undo_float(rows: Bytes, columns: int, count: int, samples: SampleType) -> Values:
    """Undoes the predictor of floats (Adobe Photoshop TIFF Technical Note 3).

    The bytes of a row are differences between bytes of neighbouring pixels. The highest bytes of all floats come first.
    """
    size = samples.bits // 8
    differences = rows[..., : columns * count * size].reshape(*rows.shape[:-1], columns * size, count)
    sums = np.add.accumulate(differences, axis=-2, dtype=np.uint8)
    planes = sums.reshape(*rows.shape[:-1], size, columns * count)
    floats = np.ascontiguousarray(planes.swapaxes(-1, -2)).view(f">f{size}")  # [..,columns*count,1]
    return floats.astype(f"f{size}").reshape(*rows.shape[:-1], columns, count)
