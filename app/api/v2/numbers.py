"""Numbers in JSON: reads the text of a list into an array."""

import msgspec
import numpy as np
from fastapi import HTTPException

from app.api.v2.invalid import invalid
from app.api.v2.tensors import DTYPES, count
from app.service.source import Values
from app.shown import shown

SLICE = 2**16
"""The characters that become Python's numbers at once: about 32,000 numbers, of 32 bytes each."""

_BLANK = b" \t\r\n"
_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[],"))


def most_bytes(text: memoryview, shape: list[int], datatype: str) -> int:
    """The largest number of bytes that `read_numbers` allocates, apart from a slice."""
    numbers = min(count(shape), len(text) // 2 + 1)  # each number has a digit and a comma
    return numbers * DTYPES[datatype].itemsize + len(text)


def read_numbers(text: memoryview, shape: list[int], datatype: str) -> Values:
    """The array of a JSON list, whose syntax was checked. The list is flat, or nested like the shape.

    No size of the shape is 0. Allocates the array, the pattern of a nested list, and a slice. Raises HTTPException.
    """
    text = text[1:-1]  # without the brackets of the whole list
    commas, brackets, quotes = _counts(text)
    first = bytes(text[:SLICE]).lstrip(_BLANK)[:1]
    if quotes or (brackets and first != b"["):
        raise _other_values(datatype)
    elements, expected = commas + 1 if first else 0, count(shape)
    if brackets and (elements != expected or brackets != sum(count(shape[:axes]) for axes in range(1, len(shape)))):
        raise _not_nested(shape)
    if elements != expected:
        raise invalid(f"the data has {elements:,} elements, and the shape {shown(shape)} has {shown(expected)}")
    return _filled(text, shape, datatype, _pattern(shape) if brackets else b"")


def _counts(text: memoryview) -> tuple[int, int, int]:
    """The numbers of commas, opening brackets and quotes."""
    commas = brackets = quotes = 0
    for start in range(0, len(text), SLICE):
        part = bytes(text[start : start + SLICE])
        commas, brackets, quotes = commas + part.count(b","), brackets + part.count(b"["), quotes + part.count(b'"')
    return commas, brackets, quotes


def _pattern(shape: list[int]) -> bytes:
    """The brackets and commas of a list that is nested like the shape, without the outermost brackets."""
    pattern = b"," * (shape[-1] - 1)
    for size in reversed(shape[:-1]):
        pattern = ((b"[" + pattern + b"],") * size)[:-1]
    return pattern


def _filled(text: memoryview, shape: list[int], datatype: str, pattern: bytes) -> Values:
    values: Values = np.empty(count(shape), DTYPES[datatype])
    at = found = matched = 0
    while at < len(text):
        part = bytes(text[at : at + SLICE])
        if at + len(part) < len(text):
            part = part[: max(part.rfind(b","), 0)]
        at += len(part) + 1
        if pattern:
            structure = part.translate(None, _NOT_STRUCTURE) + (b"," if at < len(text) else b"")
            if not pattern.startswith(structure, matched):
                raise _not_nested(shape)
            matched += len(structure)
        numbers = _numbers(part.translate(None, b"[]" + _BLANK), datatype)
        values[found : found + len(numbers)] = numbers
        found += len(numbers)
    return values.reshape(shape)


def _numbers(text: bytes, datatype: str) -> Values:
    """The array of numbers with commas between them."""
    kind = list[float] if datatype == "FP32" else list[int]
    try:
        with np.errstate(over="ignore"):  # overflow gives infinity, which `read_pixels` refuses
            numbers: Values = np.array(msgspec.json.decode(b"[" + text + b"]", type=kind), DTYPES[datatype])
    except OverflowError as error:
        raise invalid(f"the data of {datatype} has numbers that it cannot hold ({error}); scale them") from error
    except msgspec.DecodeError as error:
        if "out of range" in str(error):
            raise invalid(f"the data of {datatype} has numbers that it cannot hold; scale them") from error
        raise _other_values(datatype) from error
    if not numbers.size:
        raise _other_values(datatype)  # more than a slice without a comma
    return numbers


def _other_values(datatype: str) -> HTTPException:
    wanted = "numbers" if datatype == "FP32" else "whole numbers"
    return invalid(f"the data of {datatype} must be {wanted}, and has others")


def _not_nested(shape: list[int]) -> HTTPException:
    return invalid(f"the data is not nested like its shape {shown(shape)}; nest it accordingly, or send a flat list")
