"""Reads the elements of an input tensor, from JSON or from binary data."""

from base64 import b64decode
from itertools import chain

import numpy as np

from app.api.v2.invalid import invalid
from app.api.v2.schemas.inference import InferInputBody
from app.service.source import Values

DTYPES: dict[str, np.dtype[np.uint8] | np.dtype[np.uint16] | np.dtype[np.float32]] = {
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "FP32": np.dtype("<f4"),
}
_LENGTH_BYTES = 4


def count(shape: list[int]) -> int:
    """The number of elements of a tensor with this shape."""
    total = 1
    for size in shape:
        total *= size
    return total


def read_bytes(tensor: InferInputBody, binary: memoryview) -> list[bytes]:
    """The elements of a BYTES tensor; raises HTTPException."""
    if tensor.data is None:
        return _elements(binary_of(tensor, binary), count(tensor.shape))
    return [_base64(element, number) for number, element in enumerate(_flat(tensor.data, tensor.shape))]


def read_array(tensor: InferInputBody, binary: memoryview) -> Values:
    """The array of a tensor of numbers; binary data is not copied. Raises HTTPException."""
    dtype = DTYPES[tensor.datatype]
    if tensor.data is not None:
        return _numbers(_flat(tensor.data, tensor.shape), dtype, tensor.datatype).reshape(tensor.shape)
    own = binary_of(tensor, binary)
    expected = count(tensor.shape) * dtype.itemsize
    if len(own) != expected:
        raise invalid(
            f"a tensor of shape {tensor.shape} and {tensor.datatype} has {expected:,} bytes, "
            f"and binary_data_size is {len(own):,}"
        )
    values: Values = np.frombuffer(own, dtype)
    return values.reshape(tensor.shape)


def binary_of(tensor: InferInputBody, binary: memoryview) -> memoryview:
    """The binary data of the tensor, which must be all of `binary`; raises HTTPException."""
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        raise invalid(f"input {tensor.name!r} has neither data nor a binary_data_size; send one of them")
    if type(size) is not int or size < 0:
        raise invalid(f"binary_data_size is {size!r}; give the tensor's number of bytes")
    if size != len(binary):
        raise invalid(f"binary_data_size is {size:,}, and {len(binary):,} bytes follow the JSON")
    return binary


def _elements(data: memoryview, expected: int) -> list[bytes]:
    """The elements of BYTES data. The length of an element is before it, in 4 bytes, little-endian."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        if len(found) == expected:
            raise invalid(f"the binary data has more than the {expected} elements of the shape")
        start = at + _LENGTH_BYTES
        at = start + int.from_bytes(data[at:start], "little")
        if at > len(data) or start > len(data):
            raise invalid(
                f"element {len(found)} ends after the binary data; each has its length before it, "
                "in 4 bytes, little-endian"
            )
        found.append(bytes(data[start:at]))
    if len(found) != expected:
        raise invalid(f"the binary data has {len(found)} elements, and the shape has {expected}")
    return found


def _base64(element: object, number: int) -> bytes:
    if not isinstance(element, str):
        raise invalid(
            f"element {number} of the data is not a string; send the bytes of pictures in base64, or as binary data"
        )
    try:
        return b64decode(element, validate=True)
    except ValueError as error:
        raise invalid(
            f"element {number} of the data is not base64 ({error}); JSON cannot hold bytes as they are: "
            "send them in base64, or as binary data"
        ) from error


def _flat(data: list[object], shape: list[int]) -> list[object]:
    """The elements as a flat list; `data` is flat already, or nested like the shape."""
    level, depth, fits = data, 1, True
    while fits and level and isinstance(level[0], list):
        inner = [each for each in level if isinstance(each, list)]
        fits = depth < len(shape) and len(inner) == len(level) == count(shape[:depth])
        fits = fits and all(len(each) == shape[depth] for each in inner)
        level, depth = list(chain.from_iterable(inner)), depth + 1
    if not fits or depth not in (1, len(shape)):
        raise invalid(f"the data is not nested like its shape {shape}; nest it accordingly, or send a flat list")
    if len(level) != count(shape):
        raise invalid(f"the data has {len(level):,} elements, and the shape {shape} has {count(shape):,}")
    return level


def _numbers(elements: list[object], dtype: np.dtype[np.uint8 | np.uint16 | np.float32], datatype: str) -> Values:
    kinds = set(map(type, elements))
    if not kinds <= ({int, float} if datatype == "FP32" else {int}):
        wanted = "numbers" if datatype == "FP32" else "whole numbers"
        raise invalid(f"the data of {datatype} must be {wanted}, and has others")
    try:
        with np.errstate(over="ignore"):  # overflow gives infinity, which `read_pixels` refuses
            values: Values = np.array(elements, dtype)
    except OverflowError as error:
        raise invalid(f"the data of {datatype} has numbers that it cannot hold ({error}); scale them") from error
    return values
