"""The numbers of which the pixels of a page consist."""

from dataclasses import dataclass
from typing import Literal

from app.decoding.tiff.directory import Directory
from app.decoding.tiff.refusal import refusal
from app.decoding.tiff.tags import Tag

MAX_SAMPLES = 16

_FORMATS: dict[int, Literal["unsigned", "signed", "float"]] = {1: "unsigned", 2: "signed", 3: "float", 4: "unsigned"}
_FLOAT_BITS = (16, 32, 64)
_SIGNED_BITS = (32,)
_MAX_PACKED_BITS = 16
_REMEDY = "save the picture as unsigned integers of 8 or 16 bits"


@dataclass(frozen=True, slots=True)
class SampleType:
    """The numbers of which the pixels of a page consist.

    count: samples of each pixel, those that are no colours included
    bits: of each sample
    kind: `unsigned`, `signed` or `float`
    """

    count: int
    bits: int
    kind: Literal["unsigned", "signed", "float"]

    @property
    def is_packed(self) -> bool:
        """Whether samples can begin within a byte. They then are a stream of bits, whatever the byte order."""
        return self.bits < _MAX_PACKED_BITS and self.bits != 8


def read_sample_type(page: Directory) -> SampleType:
    """Raises UnsupportedImage for numbers without a rule that makes them grey values."""
    all_bits = page.integers(Tag.BitsPerSample, MAX_SAMPLES) or [1]
    count = page.integer(Tag.SamplesPerPixel, len(all_bits))
    if not 1 <= count <= MAX_SAMPLES:
        raise refusal(Tag.SamplesPerPixel, f"is {count}", f"save a picture of at most {MAX_SAMPLES} samples a pixel")
    if len(all_bits) > 1:
        all_bits = all_bits[:count]
    formats = page.integers(Tag.SampleFormat, count) or [1]
    if len(set(all_bits)) > 1 or len(all_bits) not in (1, count):
        state = f"is {', '.join(map(str, all_bits))} for {count} samples a pixel"
        raise refusal(Tag.BitsPerSample, state, "save all samples with 8 or all with 16 bits")
    if len(set(formats)) > 1 or formats[0] not in _FORMATS:
        state = f"is {', '.join(map(str, formats))}"
        raise refusal(Tag.SampleFormat, state, _REMEDY)
    bits, kind = all_bits[0], _FORMATS[formats[0]]
    _check(bits, kind, count)
    return SampleType(count, bits, kind)


def _check(bits: int, kind: str, count: int) -> None:
    if kind == "float":
        if bits not in _FLOAT_BITS:
            raise refusal(Tag.BitsPerSample, f"is {bits} for floats", "save them with 16, 32 or 64 bits")
        return
    if kind == "signed" and bits not in _SIGNED_BITS:
        state = f"is 2, signed integers, with {bits} bits: the file does not say which value is black"
        raise refusal(Tag.SampleFormat, state, _REMEDY)
    if not (1 <= bits <= _MAX_PACKED_BITS or bits == 24 or (bits == 32 and count == 1)):
        state = f"is {bits}, with {count} {'sample' if count == 1 else 'samples'} a pixel"
        raise refusal(Tag.BitsPerSample, state, _REMEDY)
