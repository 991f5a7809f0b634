"""Reads pictures of any size row by row in processes of their own, because their files may be hostile."""

import json
import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from time import monotonic
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
import torch
from torch import Tensor

from app import errors
from app.decoders.limits import row_limits
from app.row_memory import apart

PIPE_BYTES = 2**20
MOST_LINE_BYTES = 2**16
WAIT_BASE_S = 60.0
WAIT_FACTOR = 4.0
"""An answer may take the base and this many times the processor time that it may use, because others compute, too."""


class PictureRows:
    """The rows of a picture's file, as a source of rows [C,n,W]; see LargePicture. Memory holds what is being read.

    descriptor: of the file, which this process may close once the object is made
    name: what messages call the picture
    temporary: the folder for the temporary file of a picture that is turned

    The process ends at the end of the `with` block, and with the thread that made it. Raises UnsupportedImage,
    DamagedImage, InvalidImage if the process crashes, and DecodingLimit if it takes too much time or memory, also while
    rows are read.
    """

    def __init__(self, descriptor: int, name: str, temporary: Path) -> None:
        self._file_bytes, self._name = os.fstat(descriptor).st_size, name
        self._limits = row_limits(self._file_bytes, 0, 0)
        arguments = [str(descriptor), str(self._file_bytes), str(os.getpid()), name]
        paths = os.pathsep.join(path for path in sys.path if path)  # the modules that this process finds
        variables = {
            "PYTHONPATH": paths,
            "TMPDIR": str(temporary),
            "VIPS_CONCURRENCY": "1",
            "VIPS_BLOCK_UNTRUSTED": "1",
            "OPENBLAS_NUM_THREADS": "1",
        }
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "app.decoders.row_process", *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            pass_fds=[descriptor],
            pipesize=PIPE_BYTES,
            bufsize=0,
            env=os.environ | variables,
        )
        try:
            found = self._answer()
            height, width = map(int, found["size"])
            self.size, self.white = (height, width), float(found["white"])
            self._channels = int(found["channels"])
            self._dtype = np.uint16 if int(found["bits"]) == 16 else np.uint8
            self._limits = row_limits(self._file_bytes, height * width, width)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        self._process.wait()

    def read(self, count: int) -> Tensor:
        """The next `count` rows, [C,count,W] uint8 or uint16."""
        self._ask(f"read {count}")
        self._answer()
        out = apart((self._channels, count, self.size[1]), self._dtype)
        self._receive(out.data.cast("B"))
        return torch.from_numpy(out)

    def restart(self) -> None:
        """Begins with the first row again."""
        self._ask("restart")
        self._answer()

    def _ask(self, line: str) -> None:
        with suppress(BrokenPipeError):  # the answer, or its absence, says why
            _of(self._process.stdin).write(f"{line}\n".encode())

    def _answer(self) -> dict[str, Any]:
        """The next line, which a process that reads hostile files wrote: only numbers and texts are taken from it."""
        line = bytearray()
        while not line.endswith(b"\n") and len(line) < MOST_LINE_BYTES:
            one = bytearray(1)
            self._receive(memoryview(one))
            line += one
        try:
            found: dict[str, Any] = json.loads(line)
            kind, message = str(found.get("error", "")), str(found.get("message", ""))
        except (ValueError, AttributeError) as error:
            raise errors.InvalidImage(f"{self._name} cannot be read: its reader answers wrongly") from error
        if kind == errors.InsufficientMemory.__name__:
            raise self._too_large()
        for base in (errors.InvalidImage, errors.LimitExceeded):
            for each in (base, *errors.every_error(base)):
                if each.__name__ == kind:
                    raise each(message)
        return found

    def _receive(self, into: memoryview) -> None:
        """Fills `into`; raises the error of a process that ended, or that does not answer in time."""
        pipe, filled = _of(self._process.stdout), 0
        ends_s = monotonic() + WAIT_BASE_S + WAIT_FACTOR * self._limits.processor_s
        while filled < len(into):
            if not select.select([pipe], [], [], max(ends_s - monotonic(), 0.0))[0]:
                raise errors.DecodingLimit(f"{self._name} cannot be read: its reader does not answer; try again later")
            count = pipe.readinto(into[filled:])  # type: ignore[attr-defined]  # an unbuffered pipe has it
            if not count:
                raise self._ended()
            filled += count

    def _ended(self) -> errors.TesseraError:
        status = self._process.wait()
        if status == -signal.SIGXCPU:
            return errors.DecodingLimit(
                f"reading {self._name} takes more than {self._limits.processor_s} s of processor time, the limit for a "
                f"file of {self._file_bytes:,} bytes with its number of pixels; save it anew, as a tiled TIFF"
            )
        if status == -signal.SIGKILL:
            return errors.InsufficientMemory(
                f"the system killed the process that read {self._name}, probably for lack of memory; try again later"
            )
        if status == -signal.SIGXFSZ:
            return self._too_large()
        how = signal.Signals(-status).name if status < 0 else f"exit status {status}"
        return errors.InvalidImage(f"the decoder crashed while it read {self._name} ({how}); save it anew")

    def _too_large(self) -> errors.DecodingLimit:
        return errors.DecodingLimit(
            f"reading {self._name} takes more than {self._limits.memory_bytes / 2**20:,.0f} MiB of memory; save it "
            "anew as a TIFF with tiles"
        )


def _of(pipe: IO[bytes] | None) -> IO[bytes]:
    assert pipe is not None
    return pipe
