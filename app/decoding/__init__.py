"""Decodes the bytes of an uploaded picture into pixels, or raises an error that explains what is wrong with them."""

from app.decoding.decode import decode
from app.decoding.header import Header, read_header

__all__ = ["Header", "decode", "read_header"]
