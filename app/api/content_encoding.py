"""Compressed request bodies (RFC 9110, section 8.4): gzip, and deflate, which is the zlib format."""

import zlib

from fastapi import HTTPException

WINDOW_BITS = {"gzip": 31, "deflate": 15}
"""`wbits` of zlib for each encoding."""
STEP = 2**20
_ALIASES = {"x-gzip": "gzip"}


class Decoder:
    """Decompresses a body piece by piece. No piece has more than STEP bytes, however much a few bytes expand."""

    def __init__(self, encoding: str) -> None:
        self._encoding = encoding
        self._stream = zlib.decompressobj(WINDOW_BITS[encoding])
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Adds compressed bytes. Call it when `read` has returned no bytes."""
        self._rest += data

    def read(self) -> bytes:
        """The next piece; empty if more compressed bytes are needed. Raises HTTPException if they are damaged."""
        try:
            while True:
                if self._stream.eof:
                    if not self._rest:
                        return b""
                    if self._encoding == "deflate":
                        raise HTTPException(400, "the body goes on after the end of its deflate")
                    self._stream = zlib.decompressobj(WINDOW_BITS[self._encoding])
                piece = self._stream.decompress(self._rest, STEP)
                self._rest = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
                if piece or not self._rest:
                    return piece
        except zlib.error as error:
            detail = f"the body is not {self._encoding}, as its Content-Encoding says: {error}"
            raise HTTPException(400, detail) from error

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
