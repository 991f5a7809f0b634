"""Measures which sizes of defects a model finds, by synthetic defects in normal pictures that it was not fitted to."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count, cycle, islice
from pathlib import Path

import torch
from torch import Generator, Tensor

from app.artifacts import DefectSizeRecord
from app.data import UnreadablePolicy, decoded, spread
from app.pipeline import Roi, TiledModel, predict
from app.progress import Progress, silent
from app.synthesis import Defect, Place, add_defect, scattered
from app.tiling import Size
from app.training.calibration import ReadingOptions
from app.training.side_by_side import side_by_side

DIAMETERS = (4, 8, 16, 32, 64)  # pixels of the picture
LARGEST_SHARE = 0.25  # of the shorter edge: larger diameters are not tried
CONTRAST = 4.0  # plain to see: see app.synthesis.Defect
KINDS = ("scratch", "spot", "stain", "displaced")
TRIED = 20  # defects of each diameter, about
AROUND = 8  # pixels around a defect in which a region counts as this defect's
APART = 48  # pixels between defects of one picture
WINDOW_TILES = 4  # that defects in one window need, about
WINDOW = 256  # the edge of the part of a picture that gets defects, in pixels


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Normal pictures, and how to make a model that was not fitted to them, which is done only if it is needed."""

    model: Callable[[], TiledModel]
    pictures: Sequence[Path]


@dataclass(frozen=True, slots=True)
class Drawn:
    """A defect that was drawn, and the part of the picture in which it is looked for."""

    diameter: int
    roi: Roi


def assess(
    held_out: Sequence[HeldOut],
    pixel_threshold: float,
    reading: ReadingOptions,
    seed: int = 0,
    progress: Progress = silent,
) -> tuple[DefectSizeRecord, ...]:
    """Draws defects of each diameter into at most `TRIED` pictures, and counts those with a map over the threshold.

    Each copy of a picture gets one defect of each diameter, near each other, so that few tiles have to be computed.
    """
    chosen = _chosen(held_out)
    total = sum(len(each.pictures) for each in chosen)
    if not total:
        return ()
    generator = torch.Generator().manual_seed(seed)
    copies, kinds = -(-TRIED // total), cycle(KINDS)
    unreported = UnreadablePolicy("skip")  # the calibration has reported pictures that cannot be read

    def marked() -> Iterator[tuple[int, TiledModel, Tensor, list[Drawn]]]:
        """The pictures with defects, with the numbers of the pictures from 1."""
        numbers = count(1)
        for each in chosen:
            model = each.model()
            for picture in decoded(each.pictures, reading.workers, unreported):
                number = next(numbers)
                for _ in range(copies):
                    for copy, drawn in defective(picture, next(kinds), generator):
                        yield number, model, copy, drawn

    def looked(item: tuple[int, TiledModel, Tensor, list[Drawn]]) -> tuple[int, list[Drawn], list[bool]]:
        number, model, copy, drawn = item
        return number, drawn, _seen(model, copy, drawn, pixel_threshold, reading)

    tried, found = dict.fromkeys(DIAMETERS, 0), dict.fromkeys(DIAMETERS, 0)
    with closing(side_by_side(looked, marked(), reading.at_once)) as results:
        for number, drawn, seen in results:
            for one, is_found in zip(drawn, seen, strict=True):
                tried[one.diameter] += 1
                found[one.diameter] += is_found
            progress("defects", number, total)
    return tuple(
        DefectSizeRecord(diameter=size, tried=tried[size], found=found[size]) for size in DIAMETERS if tried[size]
    )


def pictures_assessed(model: TiledModel, sizes: Mapping[Size, int]) -> float:
    """The time of `assess`, as a number of whole pictures of these (height, width); see Job.sizes."""
    tiles = sum(count * model.plan(*size).count for size, count in sizes.items()) / sum(sizes.values())
    return TRIED * min(1.0, WINDOW_TILES / tiles)


def _chosen(held_out: Sequence[HeldOut]) -> list[HeldOut]:
    """At most `TRIED` of the pictures, spread evenly over all, without groups that have none of them."""
    numbered = [(number, path) for number, each in enumerate(held_out) for path in each.pictures]
    if len(numbered) > TRIED:
        _, numbered = spread(numbered, TRIED)
    found = [
        HeldOut(each.model, [path for number, path in numbered if number == own]) for own, each in enumerate(held_out)
    ]
    return [each for each in found if each.pictures]


def defective(picture: Tensor, first_kind: str, generator: Generator) -> Iterator[tuple[Tensor, list[Drawn]]]:
    """Copies of a picture [C,H,W] with defects: one of each diameter in all, apart from each other.

    Each defect is of the next kind, from `first_kind` on. All defects of a copy lie in one random window. There is more
    than one copy only if a window has no room for all defects.
    """
    height, width = picture.shape[-2:]
    room = LARGEST_SHARE * min(height, width)
    order = list(KINDS)
    start = order.index(first_kind)
    kinds = islice(cycle(order), start, None)
    left = [Defect(kind, size, CONTRAST) for size, kind in zip(DIAMETERS, kinds, strict=False) if size <= room]
    edges = min(height, WINDOW), min(width, WINDOW)
    while left:
        marked, drawn, later = picture.clone(), [], []
        y, x = (
            int(torch.randint(length - edge + 1, (), generator=generator))
            for length, edge in zip((height, width), edges, strict=True)
        )
        # The largest first, because they need the most room; the first always has room.
        places = scattered(*edges, [each.diameter for each in left[::-1]], APART, generator)
        for defect, place in zip(left[::-1], places, strict=True):
            if place is None:
                later.append(defect)
            else:
                inside = place[0] + y, place[1] + x
                add_defect(marked, defect, inside, generator)
                drawn.append(Drawn(defect.diameter, around(inside, defect.diameter, (height, width))))
        left = later[::-1]
        yield marked, drawn


def around(place: Place, diameter: int, size: Size, margin: int = AROUND) -> Roi:
    """The square of a defect with a margin, within a picture of this size."""
    (top, bottom), (left, right) = (
        (max(first - margin, 0), min(first + diameter + margin, end)) for first, end in zip(place, size, strict=True)
    )
    return Roi(top, left, bottom - top, right - left)


def _seen(
    model: TiledModel, marked: Tensor, drawn: Sequence[Drawn], threshold: float, reading: ReadingOptions
) -> list[bool]:
    """Whether the map exceeds the threshold at each defect. Computes only the tiles around the defects."""
    rois = [each.roi for each in drawn]
    top, left = min(roi.top for roi in rois), min(roi.left for roi in rois)
    bottom, right = max(roi.rows.stop for roi in rois), max(roi.columns.stop for roi in rois)
    roi = Roi(top, left, bottom - top, right - left)
    found = predict(model, marked, reading.batch_tiles_of_each, roi).anomaly_map
    parts = (found[roi.top - top : roi.rows.stop - top, roi.left - left : roi.columns.stop - left] for roi in rois)
    return [float(part.max()) > threshold for part in parts]
