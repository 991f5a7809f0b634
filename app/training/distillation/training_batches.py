"""The pictures of each step: synthetic pictures, and windows of picture files."""

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from app.data import MAX_PIXELS
from app.decoding import decode
from app.pipeline import Preprocessing, use_processors
from app.synthesis import draw

KEPT_PICTURES = 32  # decoded files that stay in memory: those used last
AHEAD = 2  # batches


class TrainingBatches:
    """Batches of normalised pictures [n,3,s,s]. A batch depends only on its number and on these parameters.

    count: the number of pictures in a batch
    size: the edge of the pictures, in pixels
    seed: the seed of all random choices
    pictures: picture files of any sizes
    share: the share of each batch that is windows of `pictures`; the other pictures are synthetic
    """

    def __init__(self, count: int, size: int, seed: int, pictures: Sequence[Path] = (), share: float = 0.0) -> None:
        self._count, self._size, self._seed, self._pictures = count, size, seed, pictures
        self._own = round(share * count) if pictures else 0
        self._decoded: OrderedDict[Path, Tensor] = OrderedDict()

    def batches(self, first: int, last: int) -> Iterator[Tensor]:
        """Yields the batches from number `first` to `last` - 1. A thread makes them ahead."""
        with ThreadPoolExecutor(1, initializer=use_processors, initargs=(1,)) as pool:
            coming = [pool.submit(self.batch, number) for number in range(first, min(first + AHEAD, last))]
            for number in range(first, last):
                batch = coming.pop(0).result()
                if number + AHEAD < last:
                    coming.append(pool.submit(self.batch, number + AHEAD))
                yield batch

    @torch.no_grad()
    def batch(self, number: int) -> Tensor:
        """The batch with this number, in channels-last memory."""
        generator = Generator().manual_seed(self._seed * 1_000_003 + number)
        parts = [draw(self._count - self._own, self._size, generator)] if self._count > self._own else []
        parts += [self._window(generator) for _ in range(self._own)]
        return Preprocessing().normalise(torch.cat(parts), 1.0).contiguous(memory_format=torch.channels_last)

    def _window(self, generator: Generator) -> Tensor:
        """A random window [1,3,s,s] of a random file, in one of its eight orientations."""
        picture = self._read(self._pictures[int(torch.randint(len(self._pictures), (), generator=generator))])
        short = [max(self._size - edge, 0) for edge in picture.shape[-2:]]
        if any(short):
            picture = F.pad(picture[None], (0, short[1], 0, short[0]), mode="replicate")[0]
        rooms = [edge - self._size + 1 for edge in picture.shape[-2:]]
        top, left, quarters, mirrored = (int(torch.randint(most, (), generator=generator)) for most in (*rooms, 4, 2))
        window = torch.rot90(picture[None, :, top : top + self._size, left : left + self._size], quarters, (2, 3))
        return window.flip(3) if mirrored else window

    def _read(self, path: Path) -> Tensor:
        """The pixels of a file, [3,h,w] in [0, 1]."""
        if path not in self._decoded:
            image = decode(path.read_bytes(), max_pixels=MAX_PIXELS)
            self._decoded[path] = (image.float() / torch.iinfo(image.dtype).max).expand(3, -1, -1)
            if len(self._decoded) > KEPT_PICTURES:
                self._decoded.popitem(last=False)
        self._decoded.move_to_end(path)
        return self._decoded[path]
