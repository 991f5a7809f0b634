"""The messages between the server and a decoder process: one task, then one reply, as JSON in one packet each.

The descriptor of the picture's file accompanies a task, and that of the pixels a reply. A decoder reads hostile files,
so that the server takes nothing from a reply but numbers and strings.
"""

import json
import socket
from dataclasses import asdict, dataclass
from typing import Literal, Self

MAX_BYTES = 2**15
_MAX_TEXT = 4000


def receive(connection: socket.socket) -> tuple[bytes, list[int]]:
    """The next packet, and the descriptors that came with it; an empty packet if the connection is closed."""
    try:
        data, descriptors, _, _ = socket.recv_fds(connection, MAX_BYTES, 1, socket.MSG_CMSG_CLOEXEC)
    except ConnectionResetError:  # closed before it had read everything
        return b"", []
    return data, descriptors


@dataclass(frozen=True, slots=True)
class Task:
    """What a decoder reads from a file.

    part: the size in the header, or the pixels
    file_bytes: the size of the file
    max_pixels: the limit on the picture's pixels
    lenient: see `decode`
    memory_bytes, processor_s: see `DecoderLimits`
    """

    part: Literal["size", "pixels"]
    file_bytes: int
    max_pixels: int
    lenient: bool
    memory_bytes: int
    processor_s: int

    def encode(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        return cls(**json.loads(data))


@dataclass(frozen=True, slots=True)
class Reply:
    """What a decoder read, or why it did not.

    seconds: the duration of the work
    shape: the picture's (height, width), or its pixels' (channels, height, width); empty: there is an error
    dtype: the type of the pixels
    error: the name of the error's class
    message: the error's message
    """

    seconds: float
    shape: tuple[int, ...] = ()
    dtype: str = ""
    error: str = ""
    message: str = ""

    def encode(self) -> bytes:
        return json.dumps(asdict(self) | {"message": self.message[:_MAX_TEXT]}).encode()

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Raises ValueError, TypeError or KeyError for anything that `encode` does not write."""
        found = json.loads(data)
        shape = tuple(int(edge) for edge in found["shape"])
        texts = (str(found[name]) for name in ("dtype", "error", "message"))
        return cls(float(found["seconds"]), shape, *texts)
