"""Reading the pictures of a dataset."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TypeVar

from torch import Tensor

from app.decoding import Header, decode, read_header
from app.errors import InvalidDataset, InvalidImage, TooManyPixels

MAX_PIXELS = 2**30
T = TypeVar("T")


def headers(paths: Sequence[Path]) -> list[Header]:
    """The headers of picture files; raises InvalidDataset that names the first one that cannot be read."""
    return [_naming(path, lambda data: read_header(data, max_pixels=MAX_PIXELS)) for path in paths]


def decoded(paths: Iterable[Path], workers: int) -> Iterator[Tensor]:
    """The pictures, [C,H,W] each, in order; the next ones are decoded meanwhile. Raises InvalidDataset."""
    waiting: deque[Future[Tensor]] = deque()
    remaining = iter(paths)
    with ThreadPoolExecutor(workers, thread_name_prefix="decode") as pool:
        try:
            waiting.extend(pool.submit(_decode, path) for path in islice(remaining, workers + 1))
            while waiting:
                picture = waiting.popleft().result()
                waiting.extend(pool.submit(_decode, path) for path in islice(remaining, 1))
                yield picture
        finally:
            for future in waiting:
                future.cancel()


def _decode(path: Path) -> Tensor:
    return _naming(path, lambda data: decode(data, max_pixels=MAX_PIXELS))


def _naming(path: Path, read: Callable[[bytes], T]) -> T:
    """What `read` makes of the file, with errors that name it."""
    try:
        return read(path.read_bytes())
    except (InvalidImage, TooManyPixels, OSError) as error:
        raise InvalidDataset(f"{path} cannot be read: {error}") from error
