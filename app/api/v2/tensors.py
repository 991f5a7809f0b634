"""Reads the elements of an input tensor, from JSON or from binary data."""

import msgspec
import numpy as np
from msgspec import Raw

from app.api.v2.invalid import invalid
from app.api.v2.schemas.inference import InferInputBody
from app.api.v2.stream import BodyStream
from app.service.source import Values
from app.shown import shown

DTYPES: dict[str, np.dtype[np.uint8] | np.dtype[np.uint16] | np.dtype[np.float32]] = {
    "UINT8": np.dtype("u1"),
    "UINT16": np.dtype("<u2"),
    "FP32": np.dtype("<f4"),
}
_LENGTH_BYTES = 4
_STEP = 2**20  # of a text that is searched: `count` holds the interpreter lock


def count(shape: list[int]) -> int:
    """The number of elements of a tensor with this shape."""
    total = 1
    for size in shape:
        total *= size
    return total


def binary_size(tensor: InferInputBody) -> int:
    """The number of bytes of the tensor's binary data; raises HTTPException."""
    size = tensor.parameters.get("binary_data_size")
    if size is None:
        raise invalid(f"input {shown(tensor.name)} has neither data nor a binary_data_size; send one of them")
    if type(size) is not int or size < 0:
        raise invalid(f"binary_data_size is {shown(size)}; give the tensor's number of bytes")
    return size


async def read_array(tensor: InferInputBody, binary: BodyStream) -> Values:
    """The array of a tensor of numbers, from binary data; raises HTTPException."""
    size, dtype = binary_size(tensor), DTYPES[tensor.datatype]
    expected = count(tensor.shape) * dtype.itemsize
    if size != expected:
        raise invalid(
            f"a tensor of shape {shown(tensor.shape)} and {tensor.datatype} has {shown(expected)} bytes, "
            f"and binary_data_size is {shown(size)}"
        )
    data = await binary.read(size)
    _check_size(size, len(data) + await binary.skip())
    values: Values = np.frombuffer(data, dtype)
    return values.reshape(tensor.shape)


async def read_elements(tensor: InferInputBody, binary: BodyStream, expected: int) -> list[bytes]:
    """The elements of BYTES, from binary data; raises HTTPException.

    The length of an element is before it, in 4 bytes, little-endian.
    """
    size, start = binary_size(tensor), binary.position
    found: list[bytes] = []
    while prefix := await binary.read(_LENGTH_BYTES):
        if len(found) == expected:
            raise invalid(f"the binary data has more than the {expected} elements of the shape")
        length = int.from_bytes(prefix, "little")
        element = await binary.read(length)
        if len(prefix) < _LENGTH_BYTES or len(element) < length:
            _check_size(size, binary.position - start)
            raise invalid(
                f"element {len(found)} ends after the binary data; each has its length before it, "
                "in 4 bytes, little-endian"
            )
        found.append(element)
    _check_size(size, binary.position - start)
    if len(found) != expected:
        raise invalid(f"the binary data has {len(found)} elements, and the shape has {expected}")
    return found


def _check_size(size: int, following: int) -> None:
    if size != following:
        raise invalid(f"binary_data_size is {shown(size)}, and {following:,} bytes follow the JSON")


def read_base64(text: memoryview, shape: list[int]) -> list[bytes]:
    """The elements of BYTES, from the text of a JSON list of base64 strings, flat or nested; raises HTTPException."""
    expected = count(shape)
    commas = sum(bytes(text[at : at + _STEP]).count(b",") for at in range(0, len(text), _STEP))
    if commas >= expected:  # base64 has none
        raise invalid(f"the data has more than the {expected} elements of the shape {shown(shape)}")
    elements = [memoryview(each) for each in msgspec.json.decode(text, type=list[Raw])]
    if len(shape) == 2 and elements and all(bytes(each[:1]) == b"[" for each in elements):
        rows = [msgspec.json.decode(each, type=list[Raw]) for each in elements]
        if any(len(row) != shape[1] for row in rows):
            raise invalid(
                f"the data is not nested like its shape {shown(shape)}; nest it accordingly, or send a flat list"
            )
        elements = [memoryview(each) for row in rows for each in row]
    if len(elements) != expected:
        raise invalid(f"the data has {len(elements):,} elements, and the shape {shown(shape)} has {expected:,}")
    return [_base64(element, number) for number, element in enumerate(elements)]


def _base64(element: memoryview, number: int) -> bytes:
    if bytes(element[:1]) != b'"':
        raise invalid(
            f"element {number} of the data is not a string; send the bytes of pictures in base64, or as binary data"
        )
    try:
        return msgspec.json.decode(element, type=bytes)
    except msgspec.DecodeError as error:
        raise invalid(
            f"element {number} of the data is not base64; JSON cannot hold bytes as they are: "
            "send them in base64, or as binary data"
        ) from error
