"""Plans a training before any work is done: its pictures, sizes and memory."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch

from app.artifacts import CandidateRecord, Protocol
from app.data import DataModule, LabelledPicture, PictureFile, Report, UnreadablePolicy, read_headers, unreported
from app.detectors import Detector, GradientDetector, OnePassDetector
from app.errors import InvalidDataset, InvalidParameter
from app.pipeline import BATCH_TILES, Preprocessing
from app.tiling import Size, TilePlan, Tiling, plan
from app.training.calibration import CalibrationChoice, CalibrationProtocol
from app.training.cross_conformal import Automatic
from app.training.memory import decoded_bytes, picture_bytes, require_memory
from app.training.options import TrainerOptions
from app.training.side_by_side import at_once
from app.training.unlike import sample_bytes
from app.training.validation import labelled_pictures

COPIES_MIB = 8
"""The default of `Recipe.copies_mib`."""
MOST_COPIES_MIB = 1024
MOST_PIXELS_AT_ONCE = 2**22
"""Pictures with more pixels are measured one after the other."""
MAX_SIZES = 32
"""The largest number of picture sizes that a manifest lists. With more, any size is usual."""


def ignored(_: Sequence[Path]) -> None:
    """Does nothing about pictures that look least like the rest."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to train: an unfitted detector, the data, the tiling and the options of the trainer.

    `resume` continues from a checkpoint of the same training. `report` is called for each picture that is left out
    because it cannot be read. `unlike` is called with the pictures that look least like the rest, after the fit and
    before the calibration; what it raises ends the training. `assess` measures which synthetic defects the trained
    model finds. `candidates` are those from which the detector was chosen, for the manifest. `copies_mib` limits the
    small copies of training pictures in the artifact, in MiB; 0: there are none.
    """

    detector: Detector
    data: DataModule
    tiling: Tiling
    calibration: CalibrationChoice = field(default_factory=Automatic)
    seed: int | None = None
    trainer: TrainerOptions = field(default_factory=TrainerOptions)
    resume: bool = True
    report: Report = unreported
    unlike: Callable[[Sequence[Path]], None] = ignored
    assess: bool = True
    candidates: tuple[CandidateRecord, ...] = ()
    copies_mib: int = COPIES_MIB


@dataclass(frozen=True, slots=True)
class Job:
    """What a training does, and what it needs.

    fit: the pictures to fit to
    calibrate: the pictures to calibrate on
    labelled: the labelled pictures to validate on between epochs; none for one-pass detectors
    calibration: the protocol that finds thresholds
    protocol: how thresholds are found, as the manifest names it
    preprocessing: how pictures are resized
    picture_sizes: the (height, width) of the pictures, sorted; empty if there are more than MAX_SIZES
    grid: the (rows, columns) of cells of the first feature in the largest picture
    batch_tiles: the largest number of tiles in one batch
    at_once: the number of pictures that are measured at once to calibrate a detector that is fitted in one pass
    needed_bytes: an upper bound of the memory, pictures included
    digests: the `picture_digest` of the pictures to fit to and to calibrate on
    sizes: the number of pictures of each (height, width), those to fit to and those to calibrate on
    size_of: the (height, width) of each of them
    """

    fit: list[Path]
    calibrate: list[LabelledPicture]
    labelled: list[LabelledPicture]
    calibration: CalibrationProtocol
    protocol: Protocol
    preprocessing: Preprocessing
    picture_sizes: tuple[Size, ...]
    grid: Size
    batch_tiles: int
    at_once: int
    needed_bytes: int
    digests: Mapping[Path, str]
    sizes: Mapping[Size, int]
    size_of: Mapping[Path, Size]


def plan_training(recipe: Recipe, device: torch.device, files: dict[Path, PictureFile] | None = None) -> Job:
    """Reads the headers of all pictures, except those in `files`, which gets them for the plans of other recipes.

    Raises InvalidDataset, InvalidTiling, InvalidTraining, InvalidParameter or InsufficientMemory.
    """
    if not 0 <= recipe.copies_mib <= MOST_COPIES_MIB:
        raise InvalidParameter(f"copies_mib is {recipe.copies_mib}; use 0 (no small copies) to {MOST_COPIES_MIB} MiB")
    calibration = recipe.calibration.for_detector(recipe.detector)
    division = calibration.divide(recipe.data)
    recipe.tiling.require_multiples(recipe.detector.stride, recipe.detector.tile_multiple)
    paths = dict.fromkeys([*division.fit, *(picture.path for picture in division.calibrate)])
    headers = read_headers(list(paths), UnreadablePolicy(recipe.data.on_unreadable, recipe.report), files)
    fit = [path for path in division.fit if path in headers]
    calibrate = [picture for picture in division.calibrate if picture.path in headers]
    if not fit or not calibrate:
        raise InvalidDataset("no picture that can be read is left to fit to, or none to calibrate on")
    labelled: list[LabelledPicture] = []
    if isinstance(recipe.detector, GradientDetector):
        labelled = labelled_pictures(recipe.data, recipe.trainer.early_stopping)
    size_of = {path: (header.height, header.width) for path, header in headers.items()}
    sizes = Counter(size_of.values())
    preprocessing = _preprocessing(recipe, set(sizes))
    grid_of_tiles = recipe.tiling.grid(recipe.detector.stride, recipe.detector.tile_multiple)
    plans = [plan(recipe.tiling, *preprocessing.target_size(*size), grid_of_tiles) for size in sizes]
    stride = recipe.detector.feature_strides[0]
    grid = max(each.y.cells(stride) for each in plans), max(each.x.cells(stride) for each in plans)
    largest = max((each.input_size for each in plans), key=lambda size: size[0] * size[1])
    batch_tiles = _batch_tiles(recipe, plans, device)
    needed = recipe.detector.training_bytes(len(fit), grid, batch_tiles * largest[0] * largest[1])
    if isinstance(recipe.detector, OnePassDetector):
        needed += sample_bytes(len(fit), grid)
    targets = {size: preprocessing.target_size(*size) for size in sizes}
    measured_at_once = _measured_at_once(recipe.detector, [*targets, *targets.values()], device)
    pictures = measured_at_once + 1 if measured_at_once > 1 else 1  # the next one is prepared meanwhile
    needed += pictures * max(picture_bytes(size, target) for size, target in targets.items())
    waiting = _waiting_pictures(recipe) * max(decoded_bytes(size) for size in sizes)
    if device.type == "cpu":
        needed += waiting
    else:
        require_memory(waiting, torch.device("cpu"), recipe.detector)
    require_memory(needed, device, recipe.detector)
    known = tuple(sorted(sizes)) if len(sizes) <= MAX_SIZES else ()
    digests = {path: file.digest for path, file in headers.items()}
    return Job(
        fit=fit,
        calibrate=calibrate,
        labelled=labelled,
        calibration=calibration,
        protocol=division.protocol,
        preprocessing=preprocessing,
        picture_sizes=known,
        grid=grid,
        batch_tiles=batch_tiles,
        at_once=measured_at_once,
        needed_bytes=needed,
        digests=digests,
        sizes=sizes,
        size_of=size_of,
    )


def _preprocessing(recipe: Recipe, sizes: set[Size]) -> Preprocessing:
    preprocessing = Preprocessing.for_detector(recipe.detector, recipe.data.image_size)
    if not recipe.detector.image_size_is_fixed or preprocessing.image_size is not None:
        return preprocessing
    if len(sizes) > 1:
        few = ", ".join(f"{height} x {width}" for height, width in sorted(sizes)[:3])
        raise InvalidDataset(
            f"{recipe.detector.name} needs pictures of one size, and these have {len(sizes)} ({few}, ...); "
            "give data.image_size"
        )
    return Preprocessing.for_detector(recipe.detector, next(iter(sizes)))


def _measured_at_once(detector: Detector, sizes: Iterable[Size], device: torch.device) -> int:
    """The number of pictures that are measured at once; large ones alone, which all threads of torch measure fast."""
    large = max(height * width for height, width in sizes) > MOST_PIXELS_AT_ONCE
    return at_once(device) if isinstance(detector, OnePassDetector) and not large else 1


def _waiting_pictures(recipe: Recipe) -> int:
    """The largest number of decoded pictures that wait for the device; see Loader."""
    step = recipe.data.train_batch_size if isinstance(recipe.detector, GradientDetector) else 0
    return max(2 * recipe.data.num_workers, step if recipe.data.num_workers else 0)


def _batch_tiles(recipe: Recipe, plans: list[TilePlan], device: torch.device) -> int:
    """The largest number of tiles in one batch; for gradients at most the number of tiles in a step."""
    if not isinstance(recipe.detector, GradientDetector):
        return BATCH_TILES[device.type]
    return min(recipe.trainer.batch_tiles, recipe.data.train_batch_size * max(each.count for each in plans))
