"""What Pillow says about bytes that it cannot read, as errors of ours."""

from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from app.errors import DamagedImage, InsufficientMemory, TesseraError, TooManyPixels, UnsupportedImage

# Pillow has one exception for "corrupt" and for "valid, but not read here"; only its words tell them apart.
_VARIANT_WORDS = ("unknown pixel mode", "cannot handle", "unsupported", "not yet supported")
# Of two look-ups that Pillow lets fail, compression and palette, the palette's key: the tag that a damaged TIFF lacks.
_COLOUR_MAP = 320


@contextmanager
def reporting_damage(format: str) -> Iterator[None]:
    """Whatever goes wrong inside becomes `DamagedImage`, or `UnsupportedImage` for a variant that Pillow does not read.

    Catches every Exception, since Pillow's plugins let whatever their parsing ran into escape (OSError, SyntaxError,
    ValueError, struct.error, IndexError, OverflowError, zlib.error, warnings where these are errors, ...). Only a lack
    of memory, which is no fault of the picture, becomes `InsufficientMemory`.
    """
    try:
        yield
    except TesseraError:
        raise
    except Image.DecompressionBombError as error:
        raise TooManyPixels(
            f"Pillow's limit in this process, PIL.Image.MAX_IMAGE_PIXELS, is less than the picture's size ({error}); "
            "raise the limit, or scale the picture down"
        ) from error
    except MemoryError as error:
        raise InsufficientMemory(
            f"There is not enough memory to decode this {format}; send a smaller picture"
        ) from error
    except Exception as error:
        raise _explained(format, error) from error


def _explained(format: str, error: Exception) -> UnsupportedImage | DamagedImage:
    reason = str(error)[:100] or type(error).__name__
    cause = error.__cause__
    unknown_compression = isinstance(cause, KeyError) and cause.args != (_COLOUR_MAP,)
    if unknown_compression or any(words in reason.lower() for words in _VARIANT_WORDS):
        return UnsupportedImage(
            f"This variant of {format} is not read ({reason}); "
            "1-bit, 8-bit and 16-bit grey, and 8-bit palette, RGB, RGBA and CMYK work"
        )
    return DamagedImage(
        f"The {format} is truncated or corrupt ({reason}); send the whole file or save the picture anew"
    )
