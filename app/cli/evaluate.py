"""`tessera evaluate`."""

import sys
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.table import Table

from app.artifacts import Artifact, Entry, ModelRepository, load_artifact, read_manifest
from app.cli.instantiation import instantiate
from app.cli.repository import add_precision, add_repository
from app.data import DataModule
from app.errors import InvalidDataset
from app.evaluation import FIGURES, Evaluation, Procedure, SeenPictures, Selection, evaluate, select_unseen
from app.evaluation.report import METRICS, PAGE, Gallery, make_record, write_report
from app.pipeline import resolve_device
from app.runtime import RunOptions
from app.terminal import console, progress_bars


def parser() -> ArgumentParser:
    parser = ArgumentParser(description="Evaluate a model on labelled pictures, and write its metrics and a report.")
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_argument("--name", type=str, required=True, help="the name of the model")
    parser.add_argument("--version", type=int, default=None, help="the version of the model; by default the newest")
    parser.add_subclass_arguments(DataModule, "data", required=True, help="the data set's class, with its parameters")
    parser.add_argument("--output", type=Path, required=True, help=f"the folder to write {METRICS} and {PAGE} to")
    parser.add_argument(
        "--seen_pictures",
        type=SeenPictures,
        default="exclude",
        help="exclude: pictures that the model was fitted to or calibrated on are left out, because figures on them "
        "are too good; those that the protocol Reference calibrated on stay, with a warning. keep: all stay, with a "
        "warning",
    )
    add_repository(parser)
    add_precision(parser)
    return parser


def run(options: Namespace) -> int:
    """Evaluates and writes the report."""
    device = resolve_device(options.device)
    data: DataModule = instantiate(parser(), options).data
    entry = ModelRepository(options.models_dir).find(options.name, options.version)
    selection = _selection(data, entry, options.seen_pictures)
    options.output.mkdir(parents=True, exist_ok=True)  # a bad folder fails before the evaluation
    artifact = load_artifact(entry, device, RunOptions(precision=options.precision, batch_tiles=0))
    _note_size(artifact, data)
    calibration = artifact.calibration
    gallery = Gallery(calibration)
    procedure = Procedure(data.num_workers, on_unreadable=data.on_unreadable, scratch=options.output)
    with progress_bars() as report:
        evaluation = evaluate(artifact.model, selection.pictures, calibration, procedure, report, gallery.add)
    record = make_record(evaluation, artifact, data.description, selection=selection)
    write_report(options.output, record, gallery)
    Console(highlight=False, width=None if sys.stdout.isatty() else 120).print(_table(evaluation, artifact))
    for note in (
        record["warning"],
        data.test_note,
        *_calibration_notes(artifact, data),
        *evaluation.notes,
        *selection.notes,
        *_left_out(evaluation),
    ):
        if note:
            console.print(f"note: {note}", markup=False, soft_wrap=True)
    console.print(f"wrote {options.output / METRICS} and {options.output / PAGE}", soft_wrap=True)
    return 0


def _selection(data: DataModule, entry: Entry, seen: SeenPictures) -> Selection:
    """The pictures to evaluate on; raises InvalidDataset if there are none."""
    pictures = data.test_pictures()
    if not pictures:
        raise InvalidDataset(f"{data.description} has no pictures to evaluate on")
    return select_unseen(pictures, read_manifest(entry.path), seen)


def _note_size(artifact: Artifact, data: DataModule) -> None:
    size = artifact.model.preprocessing.image_size
    if data.image_size is not None and data.image_size != size:
        what = "takes pictures as they are" if size is None else "resizes pictures to {} x {}".format(*size)
        console.print(f"note: data.image_size is not used; the model {what}, as it was trained", soft_wrap=True)


def _calibration_notes(artifact: Artifact, data: DataModule) -> list[str]:
    manifest = artifact.manifest
    if manifest.seen or manifest.calibration.protocol != "labelled" or data.validation_pictures():
        return []
    return [
        "the thresholds were fitted to labelled pictures. If these are among them, figures at the threshold are too "
        "good; give the data options of the training (val_split_mode=from_test)"
    ]


def _left_out(evaluation: Evaluation) -> list[str]:
    return [f"left out: {each.reason}" for each in evaluation.unreadable]


def _table(evaluation: Evaluation, artifact: Artifact) -> Table:
    image, pixel = evaluation.image, evaluation.pixel
    title = f"{artifact.name} {artifact.version} on {image.normal} normal and {image.anomalous} anomalous pictures"
    table = Table("", "pictures", "pixels", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for figure in FIGURES:
        table.add_row(figure.label, *(_shown(figure.of(level) if level else None) for level in (image, pixel)))
    return table


def _shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4f}"
