"""Reads the pictures of a dataset in worker processes, ahead of their use.

A decoding thread would hold the interpreter's lock while the thread that feeds the device needs it. The workers are
forked from a server process that has imported torch but computed nothing. That is as quick as forking this process, and
safe where threads or a device are in use.

torch's DataLoader read 0.85 times as many pictures of 500 x 1260 pixels with one process, in the same memory, and has
no way to skip and report pictures that cannot be read.
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

KEEP_BYTES = 2**30  # the default limit on the pictures that a Loader keeps in memory
PIPE_BYTES = 2**22  # larger pictures are faster through shared memory than through a pipe, by measurement

_MAIN_LOCK = Lock()  # for `_main_hidden`

Array = NDArray[np.generic]
Transform = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class _Refusal:
    reason: str


class Loader:
    """Reads the pictures of a dataset, in one or several passes: [C,H,W] uint8 or uint16 each, before `transform`.

    Owns its worker processes until `close`.

    paths: the picture files
    workers: the number of processes that decode; 0: the calling thread decodes
    unreadable: the policy for pictures that cannot be read
    transform: applied to each picture by the process that decodes it; picklable, and from an importable module
    ahead: the number of pictures that are read ahead; at least two for each process
    keep_bytes: the limit on the pictures that stay in memory, so that they are decoded only once
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
        """Ends the processes, and releases the pictures in memory."""
        self._kept.clear()
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def epoch(self, order: Iterable[int] | None = None) -> Iterator[Tensor]:
        """Yields the pictures with these numbers in `paths`, in this order; None: all pictures.

        If the policy is `skip`, pictures that cannot be read are left out, and reported the first time. Raises
        InvalidDataset if a picture cannot be read and the policy is `stop`, if no picture can be read, or if a process
        dies.
        """
        return (picture for _, picture in self.numbered(order))

    def numbered(self, order: Iterable[int] | None = None) -> Iterator[tuple[int, Tensor]]:
        """Yields the same pictures as `epoch`, each with its number in `paths`."""
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
                "a process that decodes pictures died, perhaps for lack of memory; set a smaller num_workers, or 0"
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
                        waiting.append(self._pool.submit(_read_in_worker, self._paths[number], self._transform))
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
        self._unreadable.apply({self._paths[number]: reason for number, reason in lost.items()}, len(self._paths))

    def _keep(self, number: int, picture: Tensor) -> Tensor:
        if number not in self._kept and picture.nbytes <= self._room:
            self._room -= picture.nbytes
            self._kept[number] = picture.clone() if self._pool else picture
        return picture


def decoded(paths: Sequence[Path], workers: int, unreadable: UnreadablePolicy | None = None) -> Iterator[Tensor]:
    """Yields the pictures, [C,H,W] each, in order, in one pass. `Loader.epoch` describes the errors."""
    with Loader(paths, workers, unreadable, keep_bytes=0) as loader:
        yield from loader.epoch()


def _start(workers: int) -> ProcessPoolExecutor:
    method = "forkserver" if "forkserver" in multiprocessing.get_all_start_methods() else "spawn"
    context = multiprocessing.get_context(method)
    context.set_forkserver_preload([__name__])
    if method == "forkserver":
        from multiprocessing import forkserver  # only where fork servers exist

        with _ctrl_c_blocked():
            forkserver.ensure_running()
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_begin)


@contextmanager
def _ctrl_c_blocked() -> Iterator[None]:
    """Blocks SIGINT in the processes that are started meanwhile; in this one it is delivered at the end.

    Ctrl-C reaches all processes of a terminal. The fork server would print a traceback while it imports torch.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _main_hidden() -> Iterator[None]:
    """Stops multiprocessing from importing `__main__` again in its workers.

    The workers need nothing from `__main__`. So scripts work without `if __name__ == "__main__":`.
    """
    with _MAIN_LOCK:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes; the parent ends its workers
    Thread(target=_end_with_parent, daemon=True).start()
    set_pillow_switches()
    torch.set_num_threads(1)


def _end_with_parent() -> None:
    """Ends this process when its parent ends. A killed parent closes nothing, so its workers would wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)


def _read_in_worker(path: Path, transform: Transform | None) -> Tensor | Array | _Refusal:
    """Reads a picture in a worker. Large pictures go through shared memory if it has room, others through a pipe."""
    result = _read(path, transform)
    if isinstance(result, _Refusal):
        return result
    if result.nbytes > PIPE_BYTES:
        try:
            shared: Tensor = result.share_memory_()  # type: ignore[no-untyped-call]  # torch's
            return shared
        except RuntimeError:  # containers often have only 64 MB of shared memory
            pass
    return result.numpy()


def _read(path: Path, transform: Transform | None) -> Tensor | _Refusal:
    try:
        picture = decode(path.read_bytes(), max_pixels=MAX_PIXELS)
    except REFUSALS as error:
        return _Refusal(reason(error))
    return transform(picture) if transform else picture
