"""Opens a TIFF without decoding any pixel."""

import io
import struct

from PIL.TiffImagePlugin import TiffImageFile

from app.decoding.limits import check_pixels
from app.decoding.picture import Picture, PillowPicture
from app.decoding.tiff import compression
from app.decoding.tiff.colours import Photometric, read_colours
from app.decoding.tiff.directory import Directory
from app.decoding.tiff.jpeg import JpegPage
from app.decoding.tiff.pages import picture_page
from app.decoding.tiff.picture import TiffPicture
from app.decoding.tiff.refusal import refusal
from app.decoding.tiff.sample_type import SampleType, read_sample_type
from app.decoding.tiff.segments import MAX_SEGMENTS, Segments, read_segments
from app.decoding.tiff.tags import Tag
from app.decoding.tiff.values import read_predictor
from app.errors import UnsupportedImage

_LUMA = (0.299, 0.587, 0.114)  # the default of YCbCrCoefficients, and the only ones that libjpeg has
_FREE_POSITIONS = 4096  # positions of strips or tiles that are always accepted, also if the picture needs fewer
_MAX_VALUES = 3 << 16  # of other tags: a palette of 16 bits
_TABLES = (Tag.StripOffsets, Tag.StripByteCounts, Tag.TileOffsets, Tag.TileByteCounts)
_SUBSAMPLED = [2, 2]  # the default of YCbCrSubSampling


def open_tiff(data: bytes, *, max_pixels: int) -> Picture:
    """Opens the page that is the picture, and checks its limits.

    Raises UnsupportedImage, which names the tag, TooManyPixels, and ValueError or struct.error for a damaged file.
    """
    page = picture_page(data)
    height, width = page.integer(Tag.ImageLength, 0), page.integer(Tag.ImageWidth, 0)
    if height < 1 or width < 1:
        raise ValueError(f"a size of {width} x {height}")
    check_pixels(height, width, max_pixels)
    number = page.integer(Tag.Compression, compression.NONE)
    compression.check_compression(number)
    if number == compression.OLD_JPEG:
        samples = SampleType(3, 8, "unsigned")  # the tags of such pages are often missing or wrong
        return read_by_pillow(read_segments(page, height, width, samples, max_pixels=max_pixels))
    samples = read_sample_type(page)
    colours = read_colours(page, samples)
    segments = read_segments(page, height, width, samples, max_pixels=max_pixels)
    if number in compression.BYTES and colours.photometric != Photometric.YCBCR:
        read_predictor(page, samples, compressed=number != compression.NONE)
        return TiffPicture(samples, colours, segments)
    bits = 1 if number in compression.BILEVEL else 8
    if samples.bits != bits or samples.kind != "unsigned":
        state = f"is {samples.bits}, and Compression is {number}"
        raise refusal(Tag.BitsPerSample, state, f"save the picture with {bits} or another compression")
    if colours.transparency == "unknown":
        raise refusal(Tag.ExtraSamples, "is missing", "save the picture with it, or without the sample beside colours")
    if colours.photometric == Photometric.YCBCR:
        _check_ycbcr(page, height * width, number)
    return read_by_pillow(segments)


def _check_ycbcr(page: Directory, pixels: int, number: int) -> None:
    luma = page.values(Tag.YCbCrCoefficients, 3).tolist()
    if any(abs(found - known) > 0.001 for found, known in zip(luma, _LUMA, strict=False)):
        raise refusal(Tag.YCbCrCoefficients, f"is {luma}", f"save the picture with {_LUMA}, or as RGB")
    if number == compression.NONE:
        if page.integer(Tag.PlanarConfiguration, 1) != 1:
            raise refusal(Tag.PlanarConfiguration, "is 2 without compression", "save the picture as RGB, or compressed")
        subsampling = page.integers(Tag.YCbCrSubSampling, 2) or _SUBSAMPLED
        # Some writers leave out the tag if nothing is subsampled.
        stored = int(page.values(Tag.StripByteCounts, MAX_SEGMENTS).astype(float).sum())
        if subsampling != [1, 1] and not (not page.count(Tag.YCbCrSubSampling) and stored == 3 * pixels):
            state = f"is {subsampling} without compression"
            raise refusal(Tag.YCbCrSubSampling, state, "save the picture as RGB, or compressed")


def read_by_pillow(segments: Segments) -> PillowPicture:
    """A page that Pillow decodes as a whole."""
    page, limit = segments.page, max(segments.number, _FREE_POSITIONS)
    for tag, (_, count, _) in page.entries.items():  # Pillow and libtiff read all values, of whatever number
        most = limit if tag in _TABLES else _MAX_VALUES
        if count > most:
            name = str(Tag(tag)) if tag in set(Tag) else f"the tag {tag}"
            raise UnsupportedImage(
                f"This variant of TIFF is not read: {name} has {count:,} values; save the picture with at most {most:,}"
            )
    # A directory of these tags alone, because Pillow reads all tags, and any of them can name the whole file.
    end = len(page.data) + len(page.data) % 2
    pointer = struct.pack(page.order + ("Q" if page.big else "I"), end)
    start = 8 if page.big else 4
    rest = memoryview(page.data)[start + len(pointer) :]
    data = b"".join([page.data[:start], pointer, rest, bytes(end - len(page.data)), page.written()])
    image = TiffImageFile(io.BytesIO(data))
    # Pillow applies the orientation of a TIFF while it loads the pixels, and reports the upright size. Without an
    # orientation tag it would apply the orientation of the XMP block, which the reported size does not include.
    image.info.pop("xmp", None)
    if page.integer(Tag.Compression, compression.NONE) == compression.JPEG:
        return JpegPage("TIFF", image, 1, segments)
    return PillowPicture("TIFF", image, 1)
