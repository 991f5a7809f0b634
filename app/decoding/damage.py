"""Converts Pillow's exceptions to errors of this project."""

from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from app.errors import DamagedImage, InsufficientMemory, TesseraError, TooManyPixels, UnsupportedImage

# Pillow raises the same exceptions for corrupt pictures and for unsupported variants; only the messages differ.
_VARIANT_WORDS = ("unknown pixel mode", "cannot handle", "unsupported", "not yet supported", "not installed")
# The TIFF tag of the palette. Pillow fails with a KeyError of this tag if a damaged TIFF lacks its palette, and with
# a KeyError of another key if it does not know the compression.
_COLOUR_MAP = 320


@contextmanager
def reporting_damage(format: str) -> Iterator[None]:
    """Converts errors inside the `with` block to `DamagedImage`, or to `UnsupportedImage` for an unsupported variant.

    Catches every Exception, because Pillow's plugins let all errors of their parsing escape (OSError, SyntaxError,
    ValueError, struct.error, IndexError, OverflowError, zlib.error, warnings where these are errors, ...). A lack of
    memory is no fault of the picture, and becomes `InsufficientMemory`. Pillow's own limit of pixels becomes
    `TooManyPixels`. Errors of this project pass unchanged.
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
