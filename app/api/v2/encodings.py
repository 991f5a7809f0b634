"""Compression of bodies (RFC 9110, section 8.4): gzip, and deflate, which is the zlib format."""

import zlib
from collections.abc import Iterable

from fastapi import HTTPException

from app.api.v2.invalid import malformed, too_large

_WINDOW_BITS = {"gzip": 31, "deflate": 15}  # `wbits` of zlib for each format
_STEP = 2**20
_LEVEL = 1  # higher levels hardly make floats smaller
SMALLEST = 1024
"""The smallest response that is compressed, in bytes."""


def decompressed(body: bytes, encoding: str, max_bytes: int) -> bytes:
    """The decompressed body.

    Raises HTTPException for an unknown encoding, a damaged body, and a body that decompresses to over `max_bytes`.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in _WINDOW_BITS:
        raise HTTPException(415, f"Content-Encoding {encoding!r} is not known; send gzip, deflate, or no encoding")
    found = bytearray()
    rest = body
    try:
        while True:
            stream = zlib.decompressobj(_WINDOW_BITS[encoding])
            while not stream.eof:
                part = stream.decompress(rest, _STEP)
                rest = stream.unconsumed_tail
                if not (part or rest or stream.eof):
                    raise malformed(f"the body is cut off: its {encoding} has no end")
                found += part
                if len(found) > max_bytes:
                    raise too_large(f"the body unpacks to more than {max_bytes:,} bytes; send a smaller one")
            rest = stream.unused_data
            if not rest:
                return bytes(found)
            if encoding == "deflate":
                raise malformed("the body goes on after the end of its deflate")
    except zlib.error as error:
        raise malformed(f"the body is not {encoding}, as its Content-Encoding says: {error}") from error


def response_encoding(accepted: str) -> str | None:
    """The encoding of a response for this `Accept-Encoding`; None: no compression."""
    weights: dict[str, float] = {}
    for part in accepted.lower().split(","):
        name, _, parameter = part.partition(";")
        key, _, weight = parameter.partition("=")
        try:
            weights[name.strip()] = float(weight) if key.strip() == "q" else 1.0
        except ValueError:
            weights[name.strip()] = 0.0
    best = max(_WINDOW_BITS, key=lambda name: weights.get(name, 0.0))
    return best if weights.get(best, 0.0) > 0 else None


def compressed(parts: Iterable[bytes], encoding: str) -> bytes:
    """The concatenated parts, compressed with this encoding."""
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, _WINDOW_BITS[encoding])
    return b"".join([*(stream.compress(part) for part in parts), stream.flush()])
