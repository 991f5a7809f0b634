"""Decodes the bytes of an uploaded picture into pixels, or raises an error that explains what is wrong with them."""

from app.decoding.decode import decode
from app.decoding.header import Header, read_header
from app.decoding.mask import DecodedMask, decode_mask

__all__ = ["DecodedMask", "Header", "decode", "decode_mask", "read_header"]
