"""`tessera train`."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from time import monotonic

import torch
from jsonargparse import ArgumentParser, Namespace

from app.artifacts import Entry, ModelRepository, read_manifest
from app.cli.instantiation import instantiate
from app.cli.pinned import pin_notes
from app.cli.repository import add_repository
from app.cli.selection_table import print_selection
from app.cli.training_summary import next_commands, training_summary
from app.cli.unlike import LeftOutByAnswer, leave_out, name_unlike
from app.data import DataModule
from app.detectors import DETECTORS, Detector, with_thumbnail
from app.errors import InvalidTiling
from app.pipeline import resolve_device
from app.terminal import print_line, print_skipped, progress_bars
from app.tiling import Tiling
from app.training import DEFAULT_TILING, CalibrationChoice, Recipe, TrainerOptions, plan_training, train, training_notes
from app.training.plan import COPIES_MIB
from app.training.selection import Auto
from app.training.time_left import TimeLeft


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Train a model on normal pictures, and write it as the next version of the model."
    )
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_subclass_arguments(
        (Detector, Auto),
        "model",
        required=True,
        help=f"{_listed(DETECTORS)}, with its parameters; or Auto, which chooses a detector by synthetic defects",
    )
    parser.add_subclass_arguments(DataModule, "data", required=True, help="the data set's class, with its parameters")
    parser.add_class_arguments(Tiling, "tiling")
    parser.set_defaults({"tiling.mode": DEFAULT_TILING.mode, "tiling.padding_fill": DEFAULT_TILING.padding_fill})
    parser.add_class_arguments(TrainerOptions, "trainer")
    parser.add_subclass_arguments(
        CalibrationChoice,
        "calibration",
        help="the protocol that sets thresholds: CrossConformal, HoldOut, Labelled or Reference; or Automatic, which "
        "is CrossConformal for detectors that are fitted in one pass, and HoldOut for others",
    )
    parser.set_defaults({"calibration": {"class_path": "Automatic"}})
    parser.add_argument("--name", type=str, required=True, help="the name of the model")
    add_repository(parser)
    parser.add_argument("--seed_everything", type=int, default=0, help="the seed of all random choices")
    parser.add_argument(
        "--resume", type=bool, default=True, help="whether to resume the same training if it was interrupted"
    )
    parser.add_argument(
        "--assess",
        type=bool,
        default=True,
        help="whether to measure, after the training, which sizes of synthetic defects the model finds",
    )
    parser.add_argument(
        "--copies_mib",
        type=int,
        default=COPIES_MIB,
        help="the limit in MiB on the small copies of training pictures in the model, which predictions show beside "
        "defect regions; 0: the model has none, and names only the pictures and places",
    )
    return parser


def _listed(kinds: Mapping[str, type]) -> str:
    *others, last = (kind.__name__ for kind in kinds.values())
    return f"{', '.join(others)} or {last}"


def run(options: Namespace) -> int:
    """Trains and writes a model. Trains again without the pictures that a person leaves out when asked."""
    started_s = monotonic()
    repository = ModelRepository(options.models_dir)
    repository.next_version(options.name)  # raises for a bad name before the training
    while True:
        try:
            entry, data = _trained(options, repository)
            break
        except LeftOutByAnswer as answer:
            leave_out(options, answer.names)
    print_line(f"wrote version {entry.version} of {entry.name} to {entry.path}")
    for line in (
        *pin_notes(entry, repository),
        *training_summary(read_manifest(entry.path), monotonic() - started_s),
        *next_commands(options, data),
    ):
        print_line(line)
    return 0


def _trained(options: Namespace, repository: ModelRepository) -> tuple[Entry, DataModule]:
    """The version that is written, and the data; raises LeftOutByAnswer if the training must begin again."""
    torch.manual_seed(options.seed_everything)  # before the detector's constructor draws channels or weights
    values = instantiate(parser(), options)
    device = resolve_device(options.device)
    with progress_bars() as report:
        left = TimeLeft(report)
        recipe = (
            _recipe(values, values.model) if isinstance(values.model, Detector) else _selected(values, device, left)
        )
        recipe = replace(recipe, unlike=partial(name_unlike, values.data, report))
        job = plan_training(recipe, device)
        print_line(
            f"{recipe.detector.name}: {len(job.fit)} pictures to fit to, {len(job.calibrate)} to calibrate on; "
            f"about {job.needed_bytes / 2**20:,.0f} MiB of memory on {device}",
        )
        print_line(recipe.detector.description)
        for note in training_notes(recipe, job):
            print_line(f"note: {note}")
        return train(recipe, job, repository, options.name, device, left), values.data


def _recipe(values: Namespace, detector: Detector) -> Recipe:
    tiling = _tiling(values)
    return Recipe(
        with_thumbnail(detector, tiling),
        values.data,
        tiling,
        values.calibration,
        values.seed_everything,
        values.trainer,
        values.resume,
        print_skipped,
        assess=values.assess,
        copies_mib=values.copies_mib,
    )


def _selected(values: Namespace, device: torch.device, left: TimeLeft) -> Recipe:
    """The recipe of the detector that `Auto` chooses. Prints what is compared."""
    auto: Auto = values.model
    print_line(f"auto: compares {len(auto.candidates)} candidates by synthetic defects, then trains one of them")
    recipe, found = auto.recipe(partial(_recipe, values), device, values.seed_everything, left)
    print_selection(found, recipe.tiling.thumbnail)
    return recipe


def _tiling(values: Namespace) -> Tiling:
    """The tiling of `--tiling` or of TilerConfigurationCallback; raises InvalidTiling if both set one."""
    tiling: Tiling = values.tiling
    by_callback: Tiling | None = values.trainer.tiling
    if by_callback is None:
        return tiling
    if tiling != DEFAULT_TILING:
        raise InvalidTiling("tiling is given by --tiling and by TilerConfigurationCallback; use one of the two")
    return by_callback
