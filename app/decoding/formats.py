"""The supported picture formats, recognised by their first bytes."""

from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from app.errors import UnsupportedImage

# These plugins of Pillow are called directly instead of through Image.open, so that no other plugin ever runs on an
# upload. This also keeps the plugin's error message, which Image.open replaces by "cannot identify image". TIFF has a
# reader of its own, which calls the plugin for some pages.
FORMATS: dict[str, type[ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "AVIF": AvifImageFile,
}

_SIGNATURES: dict[bytes, str] = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"BM": "BMP",
    b"II\x2a\x00": "TIFF",
    b"MM\x00\x2a": "TIFF",
    b"II\x2b\x00": "TIFF",  # BigTIFF
    b"MM\x00\x2b": "TIFF",
}

# The brands of pictures in ISO media files (ISO/IEC 23008-12, annex B). A file names several in its first box.
_AVIF_BRANDS = {b"avif", b"avis"}
_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
_MAX_BRANDS = 64


def identify(data: bytes) -> str:
    """The format's name, a key of `FORMATS`; raises `UnsupportedImage` for other formats and for an empty upload."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[4:8] == b"ftyp" and (name := _by_brand(data)):
        return name
    for signature, name in _SIGNATURES.items():
        if data.startswith(signature):
            return name
    problem = "This is not a picture of a supported format" if data else "The upload is empty"
    raise UnsupportedImage(f"{problem}; send one of {', '.join(FORMATS)}")


def _by_brand(data: bytes) -> str | None:
    """The format that the file's first box names; raises `UnsupportedImage` for HEIC."""
    size = min(int.from_bytes(data[:4], "big"), 16 + 4 * _MAX_BRANDS)
    brands = {data[8:12], *(data[start : start + 4] for start in range(16, size, 4))}
    if brands & _AVIF_BRANDS:
        return "AVIF"
    if brands & _HEIC_BRANDS:
        raise UnsupportedImage(
            "This is a HEIC picture, whose codec (HEVC) is not part of this program; set the camera to JPEG (iPhone: "
            f"Settings, Camera, Formats, Most Compatible), or convert it to one of {', '.join(FORMATS)}"
        )
    return None
