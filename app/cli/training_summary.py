"""What `tessera train` says at its end."""

import inspect
import shlex
from collections.abc import Iterator
from datetime import timedelta

from jsonargparse import Namespace

from app.artifacts import Manifest
from app.cli.models_dir import default_models_dir
from app.data import DataModule
from app.errors import InvalidDataset
from app.training import alike_note

TRAINING_ONLY = {"image_size", "num_workers", "train_batch_size", "val_split_mode", "val_split_ratio", "exclude"}
"""Options of the data that `tessera evaluate` needs only if pictures were set aside, or not at all."""

NOTHING_FOUND = (
    "none; what finds more: --model Auto, pictures that are not made smaller (--data.image_size), tiles that overlap "
    "(--tiling.stride), or more false alarms (tessera calibrate --false_positive_rate); see docs/choosing.md"
)


def training_summary(manifest: Manifest, seconds: float) -> Iterator[str]:
    """Lines about the trained model. `seconds` is the duration of the training."""
    calibration, quality = manifest.calibration, manifest.quality
    rate = calibration.false_positive_rate
    aim = "" if rate is None else f", for {rate:.1%} false alarms"
    raw = f"a raw score of {calibration.image_threshold:.4g} (0.5 in answers)"
    yield f"threshold: {raw}, from {calibration.pictures} pictures{aim}"
    if quality and quality.false_alarms:
        yield f"false alarms among pictures that the model was not fitted to: {quality.false_alarms}, 95 % interval"
    if quality and quality.defects:
        found = ", ".join(f"{size.found} of {size.tried} of {size.diameter} pixels" for size in quality.defects)
        yield f"synthetic defects that it finds, by diameter: {found}"
        smallest = quality.smallest_defect
        yield f"smallest size that it finds reliably (90 %): {f'{smallest} pixels' if smallest else NOTHING_FOUND}"
    if quality and quality.alike:
        yield f"note: {alike_note(quality.alike)}"
    yield f"duration: {timedelta(seconds=round(seconds))}"


def next_commands(options: Namespace, data: DataModule) -> Iterator[str]:
    """The commands that use the model, with the options of its training. `evaluate` needs pictures of defects."""
    place = (
        "" if options.models_dir == default_models_dir() else f" --models_dir {shlex.quote(str(options.models_dir))}"
    )
    yield "next:"
    if _has_defects(data):
        yield f"  tessera evaluate --name {options.name}{place} {_options(options.data)} --output report"
    yield f"  tessera predict PICTURES --name {options.name}{place} --output results"
    yield f"  tessera serve{place}"


def _has_defects(data: DataModule) -> bool:
    try:
        return any(picture.anomalous for picture in data.find_labelled().test)
    except InvalidDataset:
        return False


def _options(data: Namespace) -> str:
    """The options of the data that differ from their defaults, for pictures to evaluate on."""
    given = data.get("init_args", {})
    values = given if isinstance(given, dict) else vars(given)
    defaults = inspect.signature(DataModule.__init__).parameters
    words = ["--data", data.class_path.rpartition(".")[2]]
    set_aside = values.get("val_split_mode") == "from_test"
    for name, value in values.items():
        needed = name not in TRAINING_ONLY or (set_aside and name.startswith("val_split"))
        if needed and value is not None and not (name in defaults and value == defaults[name].default):
            words += [f"--data.{name}", str(value).replace("'", '"')]
    return shlex.join(words)
