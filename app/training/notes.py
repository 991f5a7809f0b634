"""Notes before a training: options and data that waste time or mislead."""

from collections.abc import Iterator, Mapping
from math import ceil
from pathlib import Path

from app.data import DataModule
from app.detectors import GradientDetector
from app.errors import InvalidDataset
from app.scoring import LEVEL, share_bound
from app.tiling import Size, Tiling, TilingMode
from app.training.calibration import HoldOut
from app.training.cross_conformal import CrossConformal
from app.training.plan import Job, Recipe

ASPECT_CHANGE = 1.05  # the smallest change of the ratio of width to height that is noted
SHRINKING = 2.0  # the smallest factor by which pictures are made smaller that is noted
OVERLAP = 1.5  # the smallest number of tiles for each pixel that is noted
FEW_PICTURES = 100  # with fewer pictures to calibrate on, the bound of the rate of false alarms is noted


def training_notes(recipe: Recipe, job: Job) -> Iterator[str]:
    """Sentences for users, each with the option to change."""
    if job.protocol == "training-normal":
        yield (
            "the only picture is trained and calibrated on. Others score higher than it, so many normal ones may be "
            "called anomalous; train with more of them, or raise the threshold of "
            "predictions (--threshold, or `threshold` of requests)"
        )
    yield from recipe.data.notes
    yield from recipe.detector.training_warnings
    yield from _resizing(job)
    yield from _tiling(recipe.tiling, job, recipe.detector.tile_multiple)
    yield from _calibration(job)
    yield from _masks(recipe.data)
    yield from _copies(job.digests)
    if isinstance(recipe.detector, GradientDetector):
        yield "if the training is stopped or killed, the same command continues from the last checkpoint"
    elif recipe.trainer.early_stopping or (recipe.trainer.max_epochs or 1) > 1:
        yield f"{recipe.detector.name} reads every picture once; max_epochs and EarlyStopping have no effect"


def _resizing(job: Job) -> Iterator[str]:
    target = job.preprocessing.image_size
    if target is None:
        return
    usual = max(job.sizes, key=lambda size: job.sizes[size])
    down, across = (edge / new for edge, new in zip(usual, target, strict=True))
    if max(down, across) / min(down, across) >= ASPECT_CHANGE:
        fitting = target[0], round(target[0] * usual[1] / usual[0])
        yield (
            f"data.image_size {_text(target)} changes the ratio of width to height of pictures of {_text(usual)} by a "
            f'factor of {max(down, across) / min(down, across):.2g}; data.image_size "{list(fitting)}" keeps it'
        )
    factor = max(down, across)
    if factor >= SHRINKING:
        yield (
            f"data.image_size {_text(target)} makes pictures of {_text(usual)} smaller by a factor of {factor:.2g}: a "
            f"defect of {round(4 * factor)} pixels becomes one of 4, and smaller ones may vanish; use a larger "
            "data.image_size, or none"
        )


def _tiling(tiling: Tiling, job: Job, multiple: int) -> Iterator[str]:
    if not tiling.enable:
        return
    sizes = [job.preprocessing.target_size(*size) for size in job.sizes]
    smallest = min(height for height, _ in sizes), min(width for _, width in sizes)
    larger = [tile > edge for tile, edge in zip(tiling.tile_size, smallest, strict=True)]
    shrinks = tiling.mode is TilingMode.within and not tiling.thumbnail  # tiles are not larger than the picture
    if any(larger) and not shrinks:
        edges = " and ".join(name for name, is_larger in zip(("height", "width"), larger, strict=True) if is_larger)
        most = [max(edge // multiple * multiple, multiple) for edge in smallest]
        fitting = [min(tile, edge) for tile, edge in zip(tiling.tile_size, most, strict=True)]
        yield (
            f"a tile of {_text(tiling.tile_size)} is larger than pictures of {_text(smallest)} in {edges}: the rest of "
            f'the tile costs time and shows no picture; tiling.tile_size "{fitting}" fits'
        )
    if tiling.thumbnail and all(
        edge <= tile for size in sizes for edge, tile in zip(size, tiling.tile_size, strict=True)
    ):
        yield (
            f"tiling.thumbnail adds a tile to pictures that have only one of {_text(tiling.tile_size)}: both show the "
            "same; leave it out, or use smaller tiles"
        )
    (tile_height, tile_width), (down, across) = tiling.tile_size, tiling.stride
    times = tile_height * tile_width / (down * across)
    if times >= OVERLAP:
        yield (
            f"tiles overlap, and show each pixel {times:.2g} times: training and predictions take as many times "
            "longer as without overlap; without tiling.stride, tiles do not overlap"
        )


def _calibration(job: Job) -> Iterator[str]:
    count, protocol = len(job.calibrate), job.calibration
    if not isinstance(protocol, HoldOut | CrossConformal) or job.protocol == "training-normal" or count >= FEW_PICTURES:
        return
    rate = protocol.false_positive_rate
    needed = ceil(1 / rate - 1e-9) - 1
    known = (
        f"thresholds are set by {count} normal pictures. Even if none of them is over its threshold, the rate of false "
        f"alarms may be {share_bound(0, count):.1%} ({LEVEL:.0%} confidence)"
    )
    if count < needed:
        yield (
            f"{known}, and a rate of {rate:.1%} needs {needed} such pictures: the threshold is extrapolated; train "
            "with more pictures, or raise calibration.false_positive_rate"
        )
    else:
        yield f"{known}; train with more pictures for a narrower bound"


def _masks(data: DataModule) -> Iterator[str]:
    try:
        defects = [picture for picture in data.find_labelled().test if picture.anomalous]
        unused = data.mask_note
    except InvalidDataset:  # only an evaluation needs these pictures, and refuses them
        return
    if unused:
        yield unused
    without = sorted({picture.kind for picture in defects if picture.mask is None})
    if not without:
        return
    number = sum(picture.mask is None for picture in defects)
    yield (
        f"{number} of {len(defects)} pictures of defects have no mask (kinds: {', '.join(without[:5])}), and pixel "
        "metrics leave them out; masks are in ground_truth/<kind> (MVTec), data.mask_dir (Folder) or the column mask "
        "(CsvList)"
    )


def _copies(digests: Mapping[Path, str]) -> Iterator[str]:
    """A note if files are byte for byte the same."""
    first: dict[str, Path] = {}
    copies = [(path, first[digest]) for path, digest in digests.items() if first.setdefault(digest, path) != path]
    if copies:
        copy, original = copies[0]
        yield (
            f"{len(copies)} pictures are copies of others, such as {copy.name} of {original.name}: a model knows the "
            "copy of a picture that it was fitted to, and thresholds become too low; remove the copies"
        )


def _text(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
