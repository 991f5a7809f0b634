"""Reads JPEG (ITU-T T.81): its segments are bounded here, and Pillow decodes the segments that determine the pixels."""

from app.decoding.jpeg.picture import JpegPicture, check_pixel_data, open_jpeg

__all__ = ["JpegPicture", "check_pixel_data", "open_jpeg"]
