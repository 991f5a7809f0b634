"""Compressed request bodies (RFC 9110, section 8.4): gzip, and deflate, which is the zlib format."""

import zlib

from fastapi import HTTPException

WINDOW_BITS = {"gzip": 31, "deflate": 15}
"""`wbits` of zlib for each encoding."""
STEP = 2**20
"""The largest piece, in bytes."""
SLICE = 2**16
"""The compressed bytes that zlib gets at once. It copies what it leaves, at the end of each member of a gzip."""
MOST_MEMBERS = 10_000
"""The largest number of members of a gzip. Block-wise compressors write one for each 64 KiB, so that a body of 272 MiB
has fewer. Each member costs time, also one without content.
"""
_ALIASES = {"x-gzip": "gzip"}


class Decoder:
    """Decompresses a body piece by piece. No piece has more than STEP bytes, however much a few bytes expand.

    The time is linear in the compressed and decompressed bytes, because the number of members is limited.
    """

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._stream = zlib.decompressobj(WINDOW_BITS[encoding])
        self._members = 1
        self._data, self._at = b"", 0

    def feed(self, data: bytes) -> None:
        """Adds compressed bytes. Call it when `read` has returned no bytes."""
        self._data, self._at = data, 0

    def read(self) -> bytes:
        """The next piece; empty if more compressed bytes are needed.

        Raises HTTPException if the bytes are damaged or have too many members.
        """
        try:
            while True:
                if self._stream.eof:
                    if self._at == len(self._data):
                        return b""
                    self._begin_member()
                part = self._data[self._at : self._at + SLICE]
                piece = self._stream.decompress(part, STEP)
                left = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
                self._at += len(part) - len(left)
                if piece or self._at == len(self._data):
                    return piece
        except zlib.error as error:
            detail = f"the body is not {self._encoding}, as its Content-Encoding says: {error}"
            raise HTTPException(400, detail) from error

    def _begin_member(self) -> None:
        if self._encoding == "deflate":
            raise HTTPException(400, "the body goes on after the end of its deflate")
        self._members += 1
        if self._members > MOST_MEMBERS:
            raise HTTPException(
                400, f"the body's gzip has more than {MOST_MEMBERS:,} members; compress the body as one member"
            )
        self._stream = zlib.decompressobj(WINDOW_BITS[self._encoding])

    def finish(self) -> None:
        """Raises HTTPException if the compressed bytes have no end. Call it after the last piece."""
        if not self._stream.eof:
            raise HTTPException(400, f"the body is cut off: its {self._encoding} has no end")


def decoder_of(encoding: str) -> Decoder | None:
    """The decoder for a `Content-Encoding`; None for a body that is not compressed. Raises HTTPException."""
    encoding = encoding.strip().lower()
    encoding = _ALIASES.get(encoding, encoding)
    if encoding in ("", "identity"):
        return None
    if encoding not in WINDOW_BITS:
        raise HTTPException(
            415,
            f"Content-Encoding {encoding[:100]!r} is not known; send gzip, deflate, or no encoding",
            {"Accept-Encoding": ", ".join(WINDOW_BITS)},
        )
    return Decoder(encoding)
