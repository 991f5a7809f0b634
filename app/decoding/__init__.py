"""Bytes of an uploaded picture -> pixels, or an error that says what is wrong with them."""

from app.decoding.decode import decode
from app.decoding.header import Header, read_header

__all__ = ["Header", "decode", "read_header"]
