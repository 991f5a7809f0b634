"""The compressions of TIFF that are read.

Compressions of bytes do not depend on the pixels; `segments.py` unpacks them. Compressions of pictures fix the number
of bits, and partly the colours; Pillow reads such pages as a whole, as it does pages of YCbCr.
"""

from app.errors import UnsupportedImage

NONE = 1
BYTES = {NONE: "none", 5: "LZW", 8: "Deflate", 32773: "PackBits", 32946: "Deflate", 34925: "LZMA", 50000: "Zstandard"}
BILEVEL = {2: "CCITT RLE", 3: "CCITT group 3", 4: "CCITT group 4", 32771: "CCITT RLE"}
OLD_JPEG, JPEG = 6, 7

_OTHERS = {
    32809: "ThunderScan",
    33003: "JPEG 2000",
    33004: "JPEG 2000",
    33005: "JPEG 2000",
    33007: "JPEG",
    34676: "SGI LogLuv",
    34677: "SGI LogLuv",
    34712: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG of DNG",
    34927: "WebP",
    34933: "PNG",
    34934: "JPEG XR",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}


def check_compression(number: int) -> None:
    """Raises `UnsupportedImage` for a compression that is not read; the message names those that are."""
    if number not in {*BYTES, *BILEVEL, OLD_JPEG, JPEG}:
        name = f" ({_OTHERS[number]})" if number in _OTHERS else ""
        known = ", ".join([*dict.fromkeys(BYTES.values()), "JPEG", "CCITT"])
        raise UnsupportedImage(
            f"This variant of TIFF is not read: the tag Compression (259) is {number}{name}; "
            f"save it with one of {known}"
        )
