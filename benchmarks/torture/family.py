"""What the processes of a server hold: memory, files, threads and children, read from /proc, which costs little."""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from resource import getpagesize
from threading import Event, Thread
from types import TracebackType
from typing import Self

SAMPLE_S = 0.02
MB = 2**20


@dataclass(frozen=True, slots=True)
class Holdings:
    """What a server and all processes that it started hold together.

    memory_bytes: resident memory; what processes share counts for each of them
    files, threads: those of the server itself
    processes: the number of the processes
    """

    memory_bytes: int
    files: int
    threads: int
    processes: int


def holdings(pid: int) -> Holdings:
    """What a server holds now."""
    own = Path(f"/proc/{pid}")
    files, threads = len(list((own / "fd").iterdir())), len(list((own / "task").iterdir()))
    return Holdings(memory_bytes(pid), files, threads, len(family(pid)))


def family(pid: int) -> list[int]:
    """A process and all that it started, which still run."""
    found = [pid]
    with suppress(OSError):  # it has ended meanwhile
        for task in Path(f"/proc/{pid}/task").iterdir():
            for child in (task / "children").read_text().split():
                found += family(int(child))
    return found


def memory_bytes(pid: int) -> int:
    """The resident memory of a process and all that it started."""
    pages = 0
    for each in family(pid):
        with suppress(OSError):
            pages += int(Path(f"/proc/{each}/statm").read_text().split()[1])
    return pages * getpagesize()


class MemoryWatch:
    """Samples the memory of a server in a thread, while it is entered; `samples` are (bytes)."""

    def __init__(self, pid: int, every_s: float = SAMPLE_S) -> None:
        self.samples = [memory_bytes(pid)]
        self._pid, self._every_s, self._ended = pid, every_s, Event()
        self._thread = Thread(target=self._run, daemon=True)

    @property
    def grown_mb(self) -> int:
        """The largest memory beyond that at the start, in MiB."""
        return round((max(self.samples) - self.samples[0]) / MB)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            self.samples.append(memory_bytes(self._pid))
