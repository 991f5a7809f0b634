"""Reading the pictures of a dataset, ahead of whoever needs them, in processes of their own.

Processes and not threads, because a thread that decodes takes the interpreter from the one that feeds the device. They
are forked from a server that has imported torch and run nothing, which is as quick as forking this process, and safe
where threads or a device are in use.
"""

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from multiprocessing.connection import wait
from pathlib import Path
from threading import Lock, Thread
from types import ModuleType
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.data.headers import MAX_PIXELS, REFUSALS, reason
from app.data.unreadable import UnreadablePolicy
from app.decoding import decode
from app.environment import set_pillow_switches
from app.errors import InvalidDataset

KEEP_BYTES = 2**30
PIPE_BYTES = 2**22  # what is larger is faster through shared memory than through a pipe, by measurement

_MAIN = Lock()

Array = NDArray[np.generic]
Transform = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class _Refusal:
    reason: str


class Loader:
    """Pictures of a dataset, [C,H,W] uint8 or uint16 each or what `transform` makes of them, pass after pass.

    `workers` processes (0: none, the caller decodes) read the next `ahead` pictures, at least two a process. The
    `transform` runs there, too, and must be picklable and of a module that can be imported. Pictures stay in memory up
    to `keep_bytes` in all, to be decoded once only. Owns its processes, until `close`.
    """

    def __init__(
        self,
        paths: Sequence[Path],
        workers: int,
        unreadable: UnreadablePolicy | None = None,
        *,
        transform: Transform | None = None,
        ahead: int = 0,
        keep_bytes: int = KEEP_BYTES,
    ) -> None:
        self._paths, self._transform, self._unreadable = list(paths), transform, unreadable or UnreadablePolicy()
        self._ahead, self._room = max(2 * workers, ahead), keep_bytes
        self._kept: dict[int, Tensor] = {}
        self._refused: dict[int, str] = {}
        self._pool = _start(workers) if workers else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends the processes and forgets the pictures."""
        self._kept.clear()
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def epoch(self, order: Iterable[int] | None = None) -> Iterator[Tensor]:
        """The pictures with these numbers in `paths`, in this order (None: all of them).

        Those that cannot be read are left out if they are to be skipped, and reported the first time. Otherwise, or if
        none can be read or a process dies, raises InvalidDataset.
        """
        return (picture for _, picture in self.numbered(order))

    def numbered(self, order: Iterable[int] | None = None) -> Iterator[tuple[int, Tensor]]:
        """The same, each with its number."""
        wanted = range(len(self._paths)) if order is None else order
        numbers = [number for number in wanted if number not in self._refused]
        kept = self._kept.copy()
        read = self._read([number for number in numbers if number not in kept])
        try:
            for number in numbers:
                found = kept[number] if number in kept else next(read)
                if isinstance(found, _Refusal):
                    self._refuse(number, found.reason)
                else:
                    yield number, self._keep(number, found)
        except BrokenProcessPool as error:
            raise InvalidDataset(
                "a process that loads pictures died, for want of memory perhaps: use fewer (num_workers), or none (0)"
            ) from error
        finally:
            read.close()

    def _read(self, numbers: list[int]) -> "Generator[Tensor | _Refusal]":
        if self._pool is None:
            yield from (_read(self._paths[number], self._transform) for number in numbers)
            return
        waiting: deque[Future[Tensor | Array | _Refusal]] = deque()
        remaining = iter(numbers)
        try:
            while True:
                for number in islice(remaining, self._ahead - len(waiting)):
                    with _main_hidden():
                        waiting.append(self._pool.submit(_read_elsewhere, self._paths[number], self._transform))
                if not waiting:
                    return
                result = waiting.popleft().result()
                yield torch.from_numpy(result) if isinstance(result, np.ndarray) else result
        finally:
            for future in waiting:
                future.cancel()

    def _refuse(self, number: int, reason: str) -> None:
        self._refused[number] = reason
        lost = self._refused if len(self._refused) == len(self._paths) else {number: reason}
        self._unreadable.meet({self._paths[number]: reason for number, reason in lost.items()}, len(self._paths))

    def _keep(self, number: int, picture: Tensor) -> Tensor:
        if number not in self._kept and picture.nbytes <= self._room:
            self._room -= picture.nbytes
            self._kept[number] = picture.clone() if self._pool else picture
        return picture


def decoded(paths: Sequence[Path], workers: int, unreadable: UnreadablePolicy | None = None) -> Iterator[Tensor]:
    """The pictures, [C,H,W] each, in order, in one pass; see Loader, which tells which ones they are."""
    with Loader(paths, workers, unreadable, keep_bytes=0) as loader:
        yield from loader.epoch()


def _start(workers: int) -> ProcessPoolExecutor:
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload([__name__])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Stops multiprocessing from importing `__main__` again in its workers.

    Nothing is that they need, and so scripts can do without `if __name__ == "__main__":`.
    """
    with _MAIN:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # from a keyboard it reaches all processes, and the first one ends us
    Thread(target=_end_with_parent, daemon=True).start()
    set_pillow_switches()
    torch.set_num_threads(1)


def _end_with_parent() -> None:
    """A parent that is killed closes nothing: without this, its processes would wait for work for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _read_elsewhere(path: Path, transform: Transform | None) -> Tensor | Array | _Refusal:
    """A picture on its way to another process: through shared memory if it is large and there is room."""
    result = _read(path, transform)
    if isinstance(result, _Refusal):
        return result
    if result.nbytes > PIPE_BYTES:
        try:
            shared: Tensor = result.share_memory_()  # type: ignore[no-untyped-call]  # torch's
            return shared
        except RuntimeError:  # containers often have only 64 MB of it
            pass
    return result.numpy()


def _read(path: Path, transform: Transform | None) -> Tensor | _Refusal:
    try:
        picture = decode(path.read_bytes(), max_pixels=MAX_PIXELS)
    except REFUSALS as error:
        return _Refusal(reason(error))
    return transform(picture) if transform else picture
