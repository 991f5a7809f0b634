"""Notes before a training: options and data that waste time or mislead."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import file_digest
from math import ceil
from pathlib import Path

from app.data import DataModule
from app.detectors import GradientDetector
from app.errors import InvalidDataset
from app.tiling import Size, Tiling
from app.training.calibration import HoldOut
from app.training.plan import Job, Recipe

ASPECT_CHANGE = 1.05  # the smallest change of the ratio of width to height that is noted
SHRINKING = 2.0  # the smallest factor by which pictures are made smaller that is noted
OVERLAP = 1.5  # the smallest number of tiles for each pixel that is noted
FEW_PICTURES = 100  # with fewer pictures to calibrate on, the bound of the rate of false alarms is noted
CONFIDENCE = 0.95
COMPARED_BYTES = 2**32  # files are compared only if those of equal size have at most this size together


def training_notes(recipe: Recipe, job: Job) -> Iterator[str]:
    """Sentences for users, each with the option to change."""
    if job.protocol == "training-normal":
        yield (
            "the only picture is trained and calibrated on. Others score higher than it, so many normal ones may be "
            "called anomalous; train with more of them, or give requests a `threshold`"
        )
    yield from recipe.detector.training_warnings
    yield from _resizing(job)
    yield from _tiling(recipe.tiling, job, recipe.detector.tile_multiple)
    yield from _calibration(recipe, job)
    yield from _masks(recipe.data)
    yield from _copies([*job.fit, *(picture.path for picture in job.calibrate)])
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
            f"image_size {_text(target)} changes the ratio of width to height of pictures of {_text(usual)} by a "
            f'factor of {max(down, across) / min(down, across):.2g}; data.image_size "{list(fitting)}" keeps it'
        )
    factor = max(down, across)
    if factor >= SHRINKING:
        yield (
            f"image_size {_text(target)} makes pictures of {_text(usual)} smaller by a factor of {factor:.2g}: a "
            f"defect of {round(4 * factor)} pixels becomes one of 4, and smaller ones may vanish; use a larger "
            "data.image_size, or none"
        )


def _tiling(tiling: Tiling, job: Job, multiple: int) -> Iterator[str]:
    if not tiling.enable:
        return
    sizes = [job.preprocessing.target_size(*size) for size in job.sizes]
    smallest = min(height for height, _ in sizes), min(width for _, width in sizes)
    larger = [tile > edge for tile, edge in zip(tiling.tile_size, smallest, strict=True)]
    if any(larger):
        edges = " and ".join(name for name, is_larger in zip(("height", "width"), larger, strict=True) if is_larger)
        most = [max(edge // multiple * multiple, multiple) for edge in smallest]
        fitting = [min(tile, edge) for tile, edge in zip(tiling.tile_size, most, strict=True)]
        yield (
            f"a tile of {_text(tiling.tile_size)} is larger than pictures of {_text(smallest)} in {edges}: the rest of "
            f'the tile costs time and shows no picture; tiling.tile_size "{fitting}" fits'
        )
    (tile_height, tile_width), (down, across) = tiling.tile_size, tiling.stride
    times = tile_height * tile_width / (down * across)
    if times >= OVERLAP:
        yield (
            f"tiles overlap, and show each pixel {times:.2g} times: training and predictions take as many times "
            "longer as without overlap; without tiling.stride, tiles do not overlap"
        )


def _calibration(recipe: Recipe, job: Job) -> Iterator[str]:
    count = len(job.calibrate)
    if not isinstance(recipe.calibration, HoldOut) or job.protocol == "training-normal" or count >= FEW_PICTURES:
        return
    rate = recipe.calibration.false_positive_rate
    needed = ceil(1 / rate - 1e-9) - 1
    known = (
        f"thresholds are set by {count} normal pictures. Even if none of them is over its threshold, the rate of false "
        f"alarms may be {1 - (1 - CONFIDENCE) ** (1 / count):.1%} ({CONFIDENCE:.0%} confidence)"
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
    except InvalidDataset:  # only an evaluation needs these pictures, and refuses them
        return
    without = sorted({picture.kind for picture in defects if picture.mask is None})
    if not without:
        return
    number = sum(picture.mask is None for picture in defects)
    yield (
        f"{number} of {len(defects)} pictures of defects have no mask (kinds: {', '.join(without[:5])}), and pixel "
        "metrics leave them out; masks are in ground_truth/<kind> (MVTec), data.mask_dir (Folder) or the column mask "
        "(CsvList)"
    )


def _copies(paths: Iterable[Path]) -> Iterator[str]:
    """A note if files are byte for byte the same. Only files of equal size are read."""
    by_size: dict[int, list[Path]] = defaultdict(list)
    for path in paths:
        by_size[path.stat().st_size].append(path)
    alike = {size: group for size, group in by_size.items() if len(group) > 1}
    if sum(size * len(group) for size, group in alike.items()) > COMPARED_BYTES:
        return
    first: dict[bytes, Path] = {}
    copies: list[tuple[Path, Path]] = []
    for path in (path for group in alike.values() for path in group):
        original = first.setdefault(_digest(path), path)
        if original is not path:
            copies.append((path, original))
    if copies:
        copy, original = copies[0]
        yield (
            f"{len(copies)} pictures are copies of others, such as {copy.name} of {original.name}: copies that are "
            "held out are as well known as those trained on, and thresholds become too low; remove the copies"
        )


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return file_digest(file, "sha256").digest()


def _text(size: Size) -> str:
    return f"{size[0]} x {size[1]}"
