"""A process that reads one picture row by row: `python -m app.decoders.row_process DESCRIPTOR BYTES PARENT NAME`.

libvips reads hostile files here, within limits of memory and processor time. Lines on the standard input ask for rows:

    read COUNT   answered by the next rows, [C,COUNT,W], as bytes in the machine's order
    restart      begins with the first row again

Each answer, and the begin, is a line of JSON on the standard output, before the bytes: the picture's properties at the
begin, and an error where there is one, after which the process ends.
"""

import json
import os
import resource
import sys
from math import ceil
from pathlib import Path
from typing import BinaryIO

from app.decoders.limits import DecoderLimits, row_limits
from app.decoders.work import address_space, die_with, end_first, ignore_signals, processor_s, set_limit
from app.decoding.large import LargePicture, is_available
from app.errors import InsufficientMemory, TesseraError

TURNED_BYTES = 8
"""The most bytes of a pixel in the temporary file of a picture that is turned: alpha and 16 bits included."""


def main() -> None:
    """Serves until the standard input ends."""
    ignore_signals()
    descriptor, file_bytes, parent = map(int, sys.argv[1:4])
    die_with(parent)
    end_first()
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # libraries that print must not disturb the answers
    is_available()  # imports libvips, whose own memory does not count
    idle_bytes = address_space()
    _allow(idle_bytes, row_limits(file_bytes, 0, 0))
    try:
        picture = LargePicture(Path(f"/proc/self/fd/{descriptor}"), sys.argv[4])
        height, width = picture.size
        limits = row_limits(file_bytes, height * width, width)
        _allow(idle_bytes, limits)
        set_limit(resource.RLIMIT_FSIZE, TURNED_BYTES * height * width + 2**20)
        _answer(out, size=picture.size, channels=picture.channels, bits=picture.bits, white=picture.white)
        for line in sys.stdin:
            asked, _, count = line.strip().partition(" ")
            if asked == "restart":
                _allow(idle_bytes, limits)
                picture.restart()
                _answer(out)
            else:
                rows = picture.read_array(int(count))
                _answer(out)
                out.write(rows.data)
                out.flush()
    except TesseraError as error:
        _answer(out, error=type(error).__name__, message=str(error))
    except MemoryError as error:
        _answer(out, error=InsufficientMemory.__name__, message=str(error))


def _allow(idle_bytes: int, limits: DecoderLimits) -> None:
    set_limit(resource.RLIMIT_AS, idle_bytes + limits.memory_bytes)
    set_limit(resource.RLIMIT_CPU, ceil(processor_s() + limits.processor_s))


def _answer(out: BinaryIO, **values: object) -> None:
    out.write(json.dumps(values).encode() + b"\n")
    out.flush()


if __name__ == "__main__":
    main()
