"""Works on several pictures, or by several detectors, at once on a CPU: one on each processor.

Many steps of a training are short, or are not torch's, so that further threads of torch have nothing to do. If each
picture has a thread of its own, all processors work on all steps.
"""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import islice
from typing import TypeVar

import torch

from app.pipeline import use_processors

T = TypeVar("T")
R = TypeVar("R")

MOST = 4
"""The largest number of items that are worked on at once: each takes memory."""


def at_once(device: torch.device) -> int:
    """The number of items to work on at once: on a CPU, at most one for each thread of torch."""
    return min(MOST, torch.get_num_threads()) if device.type == "cpu" else 1


def side_by_side(work: Callable[[T], R], items: Iterable[T], count: int) -> Generator[R, None, None]:
    """Yields what `work` returns for each item, in the order of the items, and raises what it raises.

    `count` items are worked on at once, each by a thread of its own, which has its share of torch's threads. Until the
    last result is taken, or the generator is closed, the calling thread has such a share, too. It takes the items, at
    most one more than are worked on. If `count` is 1, it works on one item after the other.
    """
    if count == 1:
        yield from map(work, items)
        return
    processors = torch.get_num_threads()
    share = max(1, processors // count)
    waiting: deque[Future[R]] = deque()
    remaining = iter(items)
    with ThreadPoolExecutor(count, "tessera-side-by-side", initializer=partial(use_processors, share)) as threads:
        use_processors(share)
        try:
            while True:
                for item in islice(remaining, count + 1 - len(waiting)):
                    waiting.append(threads.submit(work, item))
                if not waiting:
                    return
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
            use_processors(processors)
