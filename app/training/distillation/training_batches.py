"""The pictures of each step: made, or cut from folders of somebody's own."""

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

KEPT_PICTURES = 32  # that were decoded last
AHEAD = 2


class TrainingBatches:
    """Batches of pictures [n,3,s,s], normalised; each depends on the seed and its number only.

    A `share` of each batch are windows of `pictures`, files of any sizes. They are made ahead, in a thread.
    """

    def __init__(self, count: int, size: int, seed: int, pictures: Sequence[Path] = (), share: float = 0.0) -> None:
        self._count, self._size, self._seed, self._pictures = count, size, seed, pictures
        self._own = round(share * count) if pictures else 0
        self._decoded: OrderedDict[Path, Tensor] = OrderedDict()

    def batches(self, first: int, last: int) -> Iterator[Tensor]:
        """Those with numbers from `first` to before `last`."""
        with ThreadPoolExecutor(1, initializer=use_processors, initargs=(1,)) as pool:
            coming = [pool.submit(self.batch, number) for number in range(first, min(first + AHEAD, last))]
            for number in range(first, last):
                batch = coming.pop(0).result()
                if number + AHEAD < last:
                    coming.append(pool.submit(self.batch, number + AHEAD))
                yield batch

    @torch.no_grad()
    def batch(self, number: int) -> Tensor:
        """The batch of this number."""
        generator = Generator().manual_seed(self._seed * 1_000_003 + number)
        parts = [draw(self._count - self._own, self._size, generator)] if self._count > self._own else []
        parts += [self._window(generator) for _ in range(self._own)]
        return Preprocessing().normalise(torch.cat(parts), 1.0).contiguous(memory_format=torch.channels_last)

    def _window(self, generator: Generator) -> Tensor:
        """A window [1,3,s,s] of one of the files, turned by quarters and mirrored."""
        picture = self._read(self._pictures[int(torch.randint(len(self._pictures), (), generator=generator))])
        short = [max(self._size - edge, 0) for edge in picture.shape[-2:]]
        if any(short):
            picture = F.pad(picture[None], (0, short[1], 0, short[0]), mode="replicate")[0]
        rooms = [edge - self._size + 1 for edge in picture.shape[-2:]]
        top, left, quarters, mirrored = (int(torch.randint(most, (), generator=generator)) for most in (*rooms, 4, 2))
        window = torch.rot90(picture[None, :, top : top + self._size, left : left + self._size], quarters, (2, 3))
        return window.flip(3) if mirrored else window

    def _read(self, path: Path) -> Tensor:
        """The picture of a file, [3,h,w] in [0, 1]."""
        if path not in self._decoded:
            image = decode(path.read_bytes(), max_pixels=MAX_PIXELS)
            self._decoded[path] = (image.float() / torch.iinfo(image.dtype).max).expand(3, -1, -1)
            if len(self._decoded) > KEPT_PICTURES:
                self._decoded.popitem(last=False)
        self._decoded.move_to_end(path)
        return self._decoded[path]
