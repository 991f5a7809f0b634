"""Collects the normal patches with which predictions explain their regions, and small copies of their pictures."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from app.artifacts.evidence import MOST_NAME, MOST_PICTURES
from app.data import Loader, UnreadablePolicy
from app.detectors import Features, PatchSources
from app.pipeline import Grid, NormalPatches, Prepared, TiledModel, patches_of
from app.pipeline.thumbnail import reduced
from app.progress import Progress, silent
from app.rendering import encode_jpeg
from app.shown import printable
from app.tiling import Size
from app.training.calibration import ReadingOptions
from app.training.one_pass import OnePassFit

SAMPLE_BYTES = 4 * 2**20
"""The limit on the sample of patches that is kept for a detector without normal patches of its own."""
SAMPLE_PICTURES = 64
"""The largest number of pictures of that sample. They are spread evenly over the training."""
COPIED_PICTURES = 512
"""The largest number of pictures of which a small copy is kept. They are spread evenly over those with patches."""
COPY_EDGE = 1024
"""The longest edge of a small copy in pixels."""
FIRST_BYTES_PER_PIXEL = 0.25
"""Of a small copy, for the first attempt at its size."""
SMALLER = 0.7
"""The factor of the edges of a small copy that has too many bytes, for the next attempt."""
LEAST_EDGE = 16
"""A picture whose small copy would be shorter than this has none."""


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The normal patches that are kept.

    used: the numbers of their pictures, rising
    owners: [n] int32, for each patch the index of its picture in `used`
    places: [n,2] int32, see NormalPatches
    sample: [n,C] float16; None: the detector has the patches
    """

    used: list[int]
    owners: Tensor
    places: Tensor
    sample: Tensor | None


def collect_evidence(
    model: TiledModel,
    pictures: Sequence[Path],
    sizes: Mapping[Path, Size],
    reading: ReadingOptions,
    fitted: OnePassFit | None,
    copies_mib: int,
    progress: Progress = silent,
) -> NormalPatches | None:
    """The normal patches of a fitted model; None if they are from more pictures than can be named, or from none.

    pictures: those that the model was fitted to, in their order, and `sizes` their (height, width)
    fitted: the fit in one pass
    copies_mib: the limit in MiB on the small copies of all pictures; 0: there are none. Pictures are read again for
        them
    """
    grids = {path: Grid.of(model, sizes[path]) for path in pictures}
    sources = None if fitted is None else fitted.fitter.sources()
    if sources is not None:
        chosen = _of_detector(sources, [grids[path] for path in pictures])
    else:
        chosen = _sampled(model, pictures, grids, reading, fitted, progress)
    if not 0 < len(chosen.used) <= MOST_PICTURES:
        return None
    used = [pictures[number] for number in chosen.used]
    copies = _copies(used, reading, copies_mib * 2**20, progress) if copies_mib else {}
    return NormalPatches(
        _names(used),
        tuple(sizes[path] for path in used),
        chosen.owners,
        chosen.places,
        chosen.sample,
        tuple(copies.get(number) for number in range(len(used))),
    )


def _of_detector(sources: PatchSources, grids: Sequence[Grid]) -> _Chosen:
    """The detector's own normal patches; `grids` are those of the pictures that were added."""
    owners, cells = sources.pictures.cpu(), sources.cells.cpu()
    used, index = torch.unique(owners, return_inverse=True)
    places = torch.empty_like(cells)
    for number in used.tolist():
        own = owners == number
        places[own] = grids[number].centres(cells[own])
    return _Chosen(used.tolist(), index.to(torch.int32), places, None)


def _sampled(
    model: TiledModel,
    pictures: Sequence[Path],
    grids: Mapping[Path, Grid],
    reading: ReadingOptions,
    fitted: OnePassFit | None,
    progress: Progress,
) -> _Chosen:
    """Random patches of pictures that are spread evenly, about equally many of each."""
    wanted = spread_evenly(range(len(pictures)), SAMPLE_PICTURES)
    quota = max(1, SAMPLE_BYTES // (2 * sum(model.detector.feature_channels)) // len(wanted))
    found: dict[int, tuple[Tensor, Tensor]] = {}
    for number, prepared, outputs in _features(model, pictures, wanted, reading, fitted):
        grid = grids[pictures[number]]
        cells = _drawn(grid.cells, quota, seed=number)
        patches = patches_of(model, prepared, outputs, cells)
        largest = torch.finfo(torch.float16).max
        found[number] = grid.centres(cells), patches.clamp(-largest, largest).to(torch.float16).cpu()
        progress("evidence", len(found), len(wanted))
    used = sorted(found)
    if not used:
        return _Chosen([], torch.empty(0), torch.empty(0), None)
    counts = torch.tensor([len(found[number][0]) for number in used])
    owners = torch.arange(len(used), dtype=torch.int32).repeat_interleave(counts)
    places, samples = (torch.cat([found[number][part] for number in used]) for part in (0, 1))
    return _Chosen(used, owners, places, samples)


def _features(
    model: TiledModel,
    pictures: Sequence[Path],
    wanted: Sequence[int],
    reading: ReadingOptions,
    fitted: OnePassFit | None,
) -> Iterator[tuple[int, Prepared, Iterator[Features]]]:
    """The features of the wanted pictures: those that the fit has stored, then those of the network, run again."""
    left = set(wanted)
    if fitted is not None:
        for number, (prepared, outputs) in enumerate(fitted.store.pictures(model.device)):
            if number in left:
                left.remove(number)
                yield number, prepared, outputs
    with Loader(pictures, reading.workers if left else 0, _skipping(), keep_bytes=0) as loader:
        for number, image in loader.numbered(sorted(left)):
            prepared = model.prepare(image)
            yield number, prepared, model.outputs(prepared, reading.batch_tiles)


def _drawn(cells: Size, count: int, seed: int) -> Tensor:
    """Random cells [n,2] int64 of a grid of (rows, columns), each at most once."""
    rows, columns = cells
    drawn = torch.randperm(rows * columns, generator=torch.Generator().manual_seed(seed))[:count]
    return torch.stack([drawn // columns, drawn % columns], 1)


def _copies(
    pictures: Sequence[Path], reading: ReadingOptions, most_bytes: int, progress: Progress
) -> dict[int, bytes | None]:
    """Small copies of pictures, spread evenly, by their numbers; together at most `most_bytes`."""
    wanted = spread_evenly(range(len(pictures)), COPIED_PICTURES)
    found: dict[int, bytes | None] = {}
    with Loader(pictures, reading.workers, _skipping(), keep_bytes=0) as loader:
        for number, image in loader.numbered(wanted):
            found[number] = small_copy(image, most_bytes // len(wanted))
            progress("small copies", len(found), len(wanted))
    return found


def small_copy(image: Tensor, most_bytes: int) -> bytes | None:
    """A picture [C,H,W] uint8 or uint16 as a JPEG of at most so many bytes; None if it would be too small to show.

    Its edges are at most COPY_EDGE pixels, and in the ratio of the picture's.
    """
    height, width = image.shape[-2:]
    white = torch.iinfo(image.dtype).max
    scale = min(1.0, COPY_EDGE / max(height, width), (most_bytes / FIRST_BYTES_PER_PIXEL / (height * width)) ** 0.5)
    while True:
        size = max(1, round(height * scale)), max(1, round(width * scale))
        if scale < 1 and max(size) < LEAST_EDGE:
            return None
        pixels = reduced(image, size).mul_(255 / white).round_().clamp_(0, 255).to(torch.uint8)
        found = encode_jpeg(pixels, quality=80)
        if len(found) <= most_bytes:
            return found
        scale *= SMALLER


def spread_evenly(numbers: Sequence[int], count: int) -> list[int]:
    """At most `count` of the numbers, at even distances, in their order."""
    count = min(count, len(numbers))
    return [numbers[index * len(numbers) // count] for index in range(count)]


def _names(paths: Sequence[Path]) -> tuple[str, ...]:
    """The names of pictures below the folder that has all of them; of a long name, its end."""
    folder = os.path.commonpath([path.absolute().parent for path in paths])
    return tuple(printable(os.path.relpath(path.absolute(), folder))[-MOST_NAME:] for path in paths)


def _skipping() -> UnreadablePolicy:
    """Pictures that cannot be read any more are left out: the training, which has read them, does not depend on it."""
    return UnreadablePolicy("skip")
