"""The supported picture formats, recognised by their first bytes."""

from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from app.errors import UnsupportedImage

# These plugins of Pillow are called directly instead of through Image.open, so that no other plugin ever runs on an
# upload. This also keeps the plugin's error message, which Image.open replaces by "cannot identify image".
FORMATS: dict[str, type[ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
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


def identify(data: bytes) -> str:
    """The format's name, a key of `FORMATS`; raises `UnsupportedImage` for other formats and for an empty upload."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    for signature, name in _SIGNATURES.items():
        if data.startswith(signature):
            return name
    problem = "This is not a picture of a supported format" if data else "The upload is empty"
    raise UnsupportedImage(f"{problem}; send one of {', '.join(FORMATS)}")
