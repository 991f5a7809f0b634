"""Kinds 5 and 6: JSON that unfolds in memory, and bodies that are packed to unpack slowly or to too much."""

import gzip
import json
import zlib
from collections.abc import Callable

from benchmarks.torture.bombs.trick import INFER, PREDICT, Trick, posting
from benchmarks.torture.clients import Request

MB = 2**20
JSON = {"Content-Type": "application/json"}


def _json(body: bytes, **headers: str) -> Request:
    return Request("POST", INFER, body, JSON | {name.replace("_", "-"): value for name, value in headers.items()})


def _tensor(data: bytes, shape: bytes = b"[8,8,3]", extra: bytes = b"") -> bytes:
    return b'{"inputs":[{"name":"image","shape":%s,"datatype":"UINT8","data":%s%s}]}' % (shape, data, extra)


def _packed(content: Callable[[], bytes], encoding: str = "gzip") -> Callable[[], Request]:
    return lambda: _json(content(), Content_Encoding=encoding)


def _nested(open_: bytes, close: bytes, depth: int) -> bytes:
    return open_ * depth + b"1" + close * depth


def _long_name() -> bytes:
    """A gzip whose header has a name of 10 MB."""
    whole = bytearray(gzip.compress(_tensor(b"[1]"), mtime=0))
    whole[3] |= 8
    return bytes(whole[:10]) + b"a" * 10 * MB + b"\0" + bytes(whole[10:])


TRICKS = [
    Trick(
        5,
        "29 KB of gzip that unpack to {},{},",
        posting(_packed(lambda: gzip.compress(_tensor(b"[" + b"{}," * 10 * MB + b"1]")))),
    ),
    Trick(5, "objects nested 5 million deep", posting(lambda: _json(_tensor(_nested(b'{"a":', b"}", 5_000_000))))),
    Trick(
        5,
        "a million outputs",
        posting(lambda: _json(b'{"inputs":[],"outputs":[' + b'{"name":"score"},' * 1_000_000 + b'{"name":"label"}]}')),
    ),
    Trick(5, "3 million equal keys", posting(lambda: _json(b"{" + b'"inputs":1,' * 2_500_000 + b'"inputs":[]}'))),
    Trick(5, "a shape of 5 million numbers", posting(lambda: _json(_tensor(b"[1]", b"[" + b"1," * 5_000_000 + b"1]")))),
    Trick(5, "28 MB of escaped text", posting(lambda: _json(_tensor(b'["' + b"\\u0041" * 4_500_000 + b'"]', b"[1]")))),
    Trick(
        5, "numbers of a million digits after the point", posting(lambda: _json(_tensor(b"[0." + b"1" * 9 * MB + b"]")))
    ),
    Trick(
        5,
        "a base64 text of 30 MB",
        posting(
            lambda: _json(
                json.dumps(
                    {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["QUJD" * 7_500_000]}]}
                ).encode()
            )
        ),
    ),
    Trick(6, "gzip of 300,000 members of one byte", posting(_packed(lambda: gzip.compress(b" ", mtime=0) * 300_000))),
    Trick(
        6,
        "gzip in gzip in gzip, 10 GB",
        posting(_packed(lambda: gzip.compress(gzip.compress(gzip.compress(bytes(100 * MB)))), "gzip, gzip, gzip")),
    ),
    Trick(6, "gzip with a name of 10 MB", posting(_packed(_long_name))),
    Trick(
        6,
        "deflate of a picture of 2 GB",
        posting(
            lambda: Request(
                "POST",
                PREDICT,
                zlib.compress(bytes(200 * MB), 9),
                {"Content-Type": "image/bmp", "Content-Encoding": "deflate"},
            )
        ),
    ),
    Trick(
        6,
        "gzip that is cut and followed by 20 MB of zeros",
        posting(_packed(lambda: gzip.compress(_tensor(b"[1]"))[:-4] + bytes(20 * MB))),
    ),
]
