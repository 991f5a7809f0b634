"""Marks that are drawn into good pictures: what the served version finds clearly, the candidate must find, too."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from zlib import crc32

import torch
from torch import Generator, Tensor

from app.pipeline import TiledModel, predict
from app.synthesis import MARK_KINDS, Mark, draw_mark
from app.teaching.proof.view import calibration_of

MOST_PICTURES = 12
"""The number of pictures into which marks are drawn."""
CONTRASTS = 0.3, 0.7
LARGEST = 24
"""The largest size of a mark in pixels: larger ones are hard to miss."""
CLEAR = 1.5
"""The served version finds a mark clearly if its map has so many times the threshold there."""
FEWEST_LOST, MOST_LOST_SHARE = 2, 0.1
"""A kind is lost if so many of its clear marks, and more than this share of them, are not found any more."""


@dataclass(slots=True)
class KindTrials:
    """The marks of a kind.

    found: how many the served version finds
    lost: of these, how many the candidate does not find
    clear, clear_lost: likewise, of those that the served version finds clearly
    """

    kind: str
    drawn: int = 0
    found: int = 0
    lost: int = 0
    clear: int = 0
    clear_lost: int = 0

    @property
    def is_lost(self) -> bool:
        """Whether the candidate is blind to a part of what the served version sees clearly."""
        return self.clear_lost >= FEWEST_LOST and self.clear_lost > MOST_LOST_SHARE * self.clear


@dataclass(slots=True)
class MarkTrials:
    """Draws marks into pictures, and has both versions look for them."""

    served: TiledModel
    candidate: TiledModel
    pictures: int = 0
    kinds: dict[str, KindTrials] = field(default_factory=lambda: {kind: KindTrials(kind) for kind in MARK_KINDS})

    @property
    def is_complete(self) -> bool:
        """Whether no further picture is needed."""
        return self.pictures >= MOST_PICTURES

    def add(self, image: Tensor, anomaly_map: Tensor) -> None:
        """Draws marks into a picture [C,H,W] without confirmed defects.

        anomaly_map: [H,W], the map of the served version, over whose regions nothing is drawn
        """
        for contrast in CONTRASTS:
            for kinds in _in_fours(list(MARK_KINDS)):
                self._try(image, anomaly_map, contrast, kinds)
        self.pictures += 1

    def _try(self, image: Tensor, anomaly_map: Tensor, contrast: float, kinds: Sequence[str]) -> None:
        """Draws a mark of each of these kinds, at most four, into a quarter of a copy of the picture."""
        marked, drawn = image.clone(), dict[str, _Drawn]()
        threshold = calibration_of(self.served).pixel_threshold
        for number, kind in enumerate(kinds):
            # Each kind has a generator of its own, so that its marks do not depend on which other kinds there are.
            generator = Generator().manual_seed(crc32(f"{kind} {contrast} {self.pictures}".encode()))
            square = _square(image, kind, (number + self.pictures) % 4, generator)
            if square is None:
                continue
            size, top, left = square
            mark = Mark(kind, size, contrast)
            rows, columns = slice(top, top + mark.edge), slice(left, left + mark.edge)
            if float(anomaly_map[rows, columns].max()) > threshold:
                continue
            pixels = draw_mark(marked, mark, (top, left), generator)
            if pixels is not None:
                drawn[kind] = _Drawn(rows, columns, pixels)
        if drawn:
            self._count(marked, drawn)

    def _count(self, marked: Tensor, drawn: "dict[str, _Drawn]") -> None:
        """Counts which marks, by kinds, of a picture [C,H,W] both versions find."""
        maps = [predict(model, marked).anomaly_map for model in (self.served, self.candidate)]
        least, new = (calibration_of(model).pixel_threshold for model in (self.served, self.candidate))
        for kind, each in drawn.items():
            before, after = (float(found[each.rows, each.columns][each.mask].max()) for found in maps)
            trials, is_lost = self.kinds[kind], after <= new
            trials.drawn += 1
            trials.found += before > least
            trials.lost += before > least and is_lost
            trials.clear += before > CLEAR * least
            trials.clear_lost += before > CLEAR * least and is_lost


@dataclass(frozen=True, slots=True)
class _Drawn:
    """A mark in the map: the rows and columns of its square [d,d], and its pixels in the square [d,d] bool."""

    rows: slice
    columns: slice
    mask: Tensor


def _in_fours(kinds: Sequence[str]) -> Iterator[Sequence[str]]:
    return (kinds[first : first + 4] for first in range(0, len(kinds), 4))


def _square(image: Tensor, kind: str, quarter: int, generator: Generator) -> tuple[int, int, int] | None:
    """The size of a mark, and the (top, left) corner of its square in a quarter of the picture.

    None: the quarter is too small for a mark.
    """
    height, width = image.shape[1] // 2, image.shape[2] // 2
    edge_of = MARK_KINDS[kind].edge
    sizes = [size for size in range(3, LARGEST + 1) if edge_of(size) <= min(height, width)]
    if not sizes:
        return None
    size = sizes[int(torch.randint(len(sizes), (), generator=generator))]
    down, across = torch.rand(2, generator=generator).tolist()
    top = (quarter // 2) * height + int(down * (height - edge_of(size)))
    left = (quarter % 2) * width + int(across * (width - edge_of(size)))
    return size, top, left
