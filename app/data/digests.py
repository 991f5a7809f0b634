"""Digests of picture files, by which the same picture is recognised under any name."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

DIGITS = 16
"""The number of hexadecimal digits: two of a million pictures have the same digest with a probability of 3e-8."""


def picture_digest(data: bytes) -> str:
    """The first DIGITS hexadecimal digits of the SHA-256 of the bytes of a picture file."""
    return hashlib.sha256(data).hexdigest()[:DIGITS]


def read_digests(paths: Iterable[Path]) -> dict[Path, str]:
    """The digests of the files, without those that cannot be read."""
    found = {}
    for path in paths:
        try:
            found[path] = picture_digest(path.read_bytes())
        except OSError:
            continue
    return found
