"""Errors of pictures, their regions of interest and their tilings."""

from app.errors.base import TesseraError


class InvalidImage(TesseraError):
    """The bytes cannot be turned into pixels."""

    code = "invalid_image"
    status = 422
    when = "the picture is empty, or the process that reads it crashes"
    example = "the picture is empty; send the bytes of one"


class UnsupportedImage(InvalidImage):
    """The bytes are not a picture of a supported format."""

    code = "unsupported_image"
    status = 415
    when = "the bytes are not a JPEG, PNG, WebP, BMP, TIFF or AVIF picture, or of a variant that cannot be read"
    example = "This is not a picture of a supported format; send one of JPEG, PNG, WebP, BMP, TIFF, AVIF"


class DamagedImage(InvalidImage):
    """The picture is truncated or corrupt."""

    code = "damaged_image"
    when = "the picture is truncated or corrupt"
    example = "The PNG is truncated: it ends after 1,024 bytes, before its IEND; send the whole file"


class InvalidRegion(TesseraError):
    """A region of interest does not lie within its picture."""

    code = "invalid_region"
    status = 422
    when = "the region of interest `roi` does not lie within the picture"
    example = "the region of interest x=900, y=0, width=200, height=80 reaches out of the picture"


class InvalidTiling(TesseraError):
    """A tile size, stride, border or halo cannot work; the message names the nearest values that do."""

    code = "invalid_tiling"
    status = 422
