"""Finds pictures that are alike: copies, also in other formats or compressed again, and blank sheets.

A model that is fitted to copies knows them, and the scores of copies do not show how much pictures vary. Pictures are
compared by sketches of at most 32 x 32 cells, which are no smaller than a block of JPEG. Noise of one grey value and
JPEG of high quality change sketches by less than one grey value (root mean square). Of 230 pictures of KolektorSDD, two
pairs differ by 1.0 and 1.4, all others by 9.8 or more.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from app.artifacts import AlikeRecord
from app.tiling import Size

CELLS = 32
BLOCK_PIXELS = 8  # along the edge of a block of JPEG
FINEST = 512  # pixels along the shorter edge that are read for a sketch
GREY_VALUES = 1.0
"""The root mean square of the difference, of 255 grey values, below which two pictures are alike."""

MAX_PICTURES = 4096  # about 12 MiB of sketches
BLOCK = 256


class Sketches:
    """Sketches of the pictures that have been read, at most MAX_PICTURES."""

    def __init__(self) -> None:
        self._sketches: list[Tensor] = []
        self._sizes: list[Size] = []
        self._paths: dict[Path, None] = {}  # in order

    def watch(self, numbered: Iterable[tuple[int, Tensor]], paths: Sequence[Path]) -> Iterator[tuple[int, Tensor]]:
        """Yields the numbers in `paths` and the pictures [C,H,W] as they come, and keeps a sketch of each."""
        for number, picture in numbered:
            if len(self._paths) < MAX_PICTURES and paths[number] not in self._paths:
                self._sketches.append(sketch(picture))
                self._sizes.append((picture.shape[-2], picture.shape[-1]))
                self._paths[paths[number]] = None
            yield number, picture

    def alike(self) -> AlikeRecord | None:
        """The pictures that are like an earlier one; None: there is none."""
        pairs = list(self._pairs())
        if not pairs:
            return None
        names = [path.name for path in self._paths]
        copy, original = pairs[0]
        example = names[copy], names[original]
        return AlikeRecord(pictures=len(self._paths), alike=len(pairs), example=example)

    def _pairs(self) -> Iterator[tuple[int, int]]:
        """Yields the number of each picture that is like an earlier one, and the number of the first such picture."""
        for size in dict.fromkeys(self._sizes):
            own = [number for number, other in enumerate(self._sizes) if other == size]
            sketches = torch.stack([self._sketches[number] for number in own]).float()
            sketches -= sketches.mean(0)  # distances are differences of squares, which are then small
            for start in range(0, len(own), BLOCK):
                block = sketches[start : start + BLOCK]
                distances = torch.cdist(block, sketches)
                near = (distances / sketches.shape[1] ** 0.5 < GREY_VALUES).tril(start - 1)
                for row in near.any(1).nonzero()[:, 0].tolist():
                    yield own[start + row], own[int(near[row].int().argmax())]


def sketch(picture: Tensor) -> Tensor:
    """The means of the cells of a picture [C,H,W], in grey values from 0 to 255: [C * rows * columns] float16."""
    step = max(1, min(picture.shape[-2:]) // FINEST)
    part = picture[:, ::step, ::step].float()
    if picture.dtype != torch.uint8:  # uint16
        part /= 257
    rows, columns = (min(max(edge // BLOCK_PIXELS, 1), CELLS) for edge in part.shape[-2:])
    return F.adaptive_avg_pool2d(part, (rows, columns)).flatten().half()


def alike_note(record: AlikeRecord) -> str:
    """A sentence about pictures that are alike, and what it means."""
    if record.alike + 1 == record.pictures:
        return (
            f"the pictures do not differ: {record}. Thresholds only allow for rounding, so that other normal pictures "
            "may be called anomalous; use pictures that differ as those of production do"
        )
    return (
        f"pictures are alike: {record}. They do not show how much normal pictures vary, and thresholds may be too low; "
        "leave them out, or use pictures that differ"
    )
