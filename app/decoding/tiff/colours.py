"""The meaning of the samples of a page: which are colours, and which is the transparency."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np
import numpy.typing as npt

from app.decoding.tiff.directory import Directory
from app.decoding.tiff.refusal import refusal
from app.decoding.tiff.sample_type import SampleType
from app.decoding.tiff.tags import Tag

Transparency = Literal["straight", "premultiplied", "unknown"]

_EXTRAS: dict[int, Transparency] = {1: "premultiplied", 2: "straight", 999: "straight"}  # 999: Corel Draw 10
_UNSPECIFIED = 0
_CMYK_INKS = 1
_GREY_OR_RGB = "save the picture as grey or RGB"
_NAMES = {
    4: "a transparency mask",
    10: "ITU Lab",
    32803: "a colour filter array, the raw data of a sensor",
    32844: "logarithmic luminance",
    32845: "logarithmic luminance",
    34892: "linear raw data of a sensor",
    51177: "a depth map",
}


class Photometric(IntEnum):
    """The colour spaces that are read, by their numbers in PhotometricInterpretation."""

    WHITE_IS_ZERO = 0
    BLACK_IS_ZERO = 1
    RGB = 2
    PALETTE = 3
    CMYK = 5
    YCBCR = 6
    CIE_LAB = 8
    ICC_LAB = 9


_COLOURS = {Photometric.WHITE_IS_ZERO: 1, Photometric.BLACK_IS_ZERO: 1, Photometric.PALETTE: 1, Photometric.CMYK: 4}


@dataclass(frozen=True, slots=True)
class Colours:
    """The meaning of the samples of a page.

    photometric: the colour space
    count: the number of samples that are colours; they come first
    alpha: the index of the sample that is the transparency; None: all pixels are opaque
    transparency: how the colours relate to alpha; `unknown` if the file does not say what the sample is
    palette: [3,2^bits] uint8, of a page with a palette
    """

    photometric: Photometric
    count: int
    alpha: int | None
    transparency: Transparency
    palette: npt.NDArray[np.uint8] | None

    @property
    def is_grey(self) -> bool:
        return self.photometric <= Photometric.BLACK_IS_ZERO


def read_colours(page: Directory, samples: SampleType) -> Colours:
    """Raises UnsupportedImage if a colour space, or the meaning of a sample, is unknown or has no rule."""
    photometric = _photometric(page)
    _check_samples(photometric, samples)
    count = _COLOURS.get(photometric, 3)
    if photometric == Photometric.YCBCR and samples.count == 1:
        count = 1  # luminance alone
    if samples.count < count:
        state = f"is {photometric.value}, which needs {count} samples a pixel, and there are {samples.count}"
        raise refusal(Tag.PhotometricInterpretation, state, _GREY_OR_RGB)
    alpha, transparency = _alpha(page, samples.count - count, photometric)
    if photometric == Photometric.CMYK:
        _check_inks(page, samples.bits)
    if photometric in (Photometric.RGB, Photometric.YCBCR):
        _check_reference(page, photometric, samples.bits)
    palette = _palette(page, samples.bits) if photometric == Photometric.PALETTE else None
    return Colours(photometric, count, None if alpha is None else count + alpha, transparency, palette)


def _photometric(page: Directory) -> Photometric:
    number = page.integer(Tag.PhotometricInterpretation, -1)
    if number == -1:
        raise refusal(Tag.PhotometricInterpretation, "is missing", "save the picture with it")
    if number not in set(Photometric):
        name = f" ({_NAMES[number]})" if number in _NAMES else ""
        raise refusal(Tag.PhotometricInterpretation, f"is {number}{name}", _GREY_OR_RGB)
    return Photometric(number)


def _check_samples(photometric: Photometric, samples: SampleType) -> None:
    state = f"is {photometric.value}, with {samples.bits} bits of {samples.kind} numbers"
    if photometric in (Photometric.RGB, Photometric.BLACK_IS_ZERO):
        return
    if photometric == Photometric.WHITE_IS_ZERO:
        if samples.bits == 32 and samples.kind != "float":  # whose white is by convention 65535
            raise refusal(Tag.PhotometricInterpretation, state, "save the picture as grey of 8 or 16 bits")
        return
    narrow = photometric in (Photometric.YCBCR, Photometric.CIE_LAB, Photometric.ICC_LAB)
    if samples.kind != "unsigned" or samples.bits > 16 or (narrow and samples.bits != 8):
        raise refusal(Tag.PhotometricInterpretation, state, f"{_GREY_OR_RGB}, or with 8 bits a sample")


def _alpha(page: Directory, extras: int, photometric: Photometric) -> tuple[int | None, Transparency]:
    """The index of the transparency among the samples that are no colours, and its kind."""
    kinds = page.integers(Tag.ExtraSamples, extras)
    if page.count(Tag.ExtraSamples) > extras:
        state = f"names {page.count(Tag.ExtraSamples)} samples beside the colours, and there are {extras}"
        raise refusal(Tag.ExtraSamples, state, "save the picture with the right number")
    if photometric in (Photometric.WHITE_IS_ZERO, Photometric.BLACK_IS_ZERO) and extras > 1 and not any(kinds):
        state = f"says nothing of {extras} samples beside grey: any of them could be the picture"
        raise refusal(Tag.ExtraSamples, state, "save each channel as a picture, or the picture as grey or RGB")
    for index, kind in enumerate(kinds):
        if kind not in _EXTRAS and kind != _UNSPECIFIED:
            raise refusal(Tag.ExtraSamples, f"is {kind}", "save the transparency as unassociated (2), or none")
        if kind in _EXTRAS:
            premultiplied = _EXTRAS[kind] == "premultiplied"
            if premultiplied and photometric not in (Photometric.BLACK_IS_ZERO, Photometric.RGB):
                state = f"is 1, and PhotometricInterpretation is {photometric.value}"
                raise refusal(Tag.ExtraSamples, state, "save the transparency as unassociated (2), or none")
            return index, _EXTRAS[kind]
    if len(kinds) < extras:
        if extras > 1:
            state = f"says nothing of {extras - len(kinds)} samples beside the colours"
            raise refusal(Tag.ExtraSamples, state, "save the picture with it, or without these samples")
        return 0, "unknown"
    return None, "straight"


def _check_inks(page: Directory, bits: int) -> None:
    inks = page.integer(Tag.InkSet, _CMYK_INKS)
    if inks != _CMYK_INKS:
        raise refusal(Tag.InkSet, f"is {inks}, other inks than CMYK", "save the picture as RGB")
    dots = page.integers(Tag.DotRange, 2)
    if dots and dots != [0, 2**bits - 1]:
        raise refusal(Tag.DotRange, f"is {dots}", f"save the picture as RGB, or with a range of 0 to {2**bits - 1}")


def _check_reference(page: Directory, photometric: Photometric, bits: int) -> None:
    white = 2**bits - 1
    found = [float(value) for value in page.values(Tag.ReferenceBlackWhite, 6)]
    if photometric == Photometric.YCBCR:
        full = [[0, white, middle, white, middle, white] for middle in (2 ** (bits - 1) - 1, 2 ** (bits - 1))]
    else:
        full = [[0, white] * 3]
    if found and found not in full:
        state = f"is {', '.join(f'{value:g}' for value in found)}, not the full range"
        raise refusal(Tag.ReferenceBlackWhite, state, "save the picture as RGB without it")


def _palette(page: Directory, bits: int) -> npt.NDArray[np.uint8]:
    number = 3 * 2**bits
    if page.count(Tag.ColorMap) < number:
        raise ValueError(f"{Tag.ColorMap} has {page.count(Tag.ColorMap)} values instead of {number}")
    values = page.values(Tag.ColorMap, number).astype(np.uint16)
    # Some writers store 8 bits; libtiff's rule finds these too.
    eight = values if values.max() < 256 else values >> 8
    return eight.astype(np.uint8).reshape(3, 2**bits)
