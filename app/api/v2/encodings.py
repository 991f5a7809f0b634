"""Compression of responses (RFC 9110, section 8.4)."""

import zlib
from collections.abc import Iterable

from app.api.content_encoding import WINDOW_BITS

_LEVEL = 1  # higher levels hardly make floats smaller
SMALLEST = 1024
"""The smallest response that is compressed, in bytes."""


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
    best = max(WINDOW_BITS, key=lambda name: weights.get(name, 0.0))
    return best if weights.get(best, 0.0) > 0 else None


def compressed(parts: Iterable[bytes], encoding: str) -> bytes:
    """The concatenated parts, compressed with this encoding."""
    stream = zlib.compressobj(_LEVEL, zlib.DEFLATED, WINDOW_BITS[encoding])
    return b"".join([*(stream.compress(part) for part in parts), stream.flush()])
