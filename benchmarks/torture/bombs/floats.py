"""Kind 4: numbers that are not finite, or become so inside a network."""

import json
import struct

from benchmarks.torture.bombs.trick import INFER, Trick, posting
from benchmarks.torture.clients import Request

EDGE = 256
LENGTH = "Inference-Header-Content-Length"


def _binary(value: float, white: float = 1.0) -> Request:
    """A picture of this number."""
    data = struct.pack("<f", value) * (EDGE * EDGE * 3)
    tensor = {
        "name": "image",
        "shape": [EDGE, EDGE, 3],
        "datatype": "FP32",
        "parameters": {"binary_data_size": len(data), "white": white},
    }
    head = json.dumps({"inputs": [tensor]}).encode()
    return Request("POST", INFER, head + data, {LENGTH: str(len(head)), "Content-Type": "application/octet-stream"})


TRICKS = [
    Trick(4, "pixels that are NaN", posting(lambda: _binary(float("nan")))),
    Trick(4, "pixels that are infinite", posting(lambda: _binary(float("inf")))),
    Trick(4, "pixels of 3e38", posting(lambda: _binary(3e38))),
    Trick(4, "a white of 1e-38", posting(lambda: _binary(1e-39, 1e-38))),
]
