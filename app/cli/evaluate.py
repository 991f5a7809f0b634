"""`tessera evaluate`."""

import sys
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.table import Table

from app.artifacts import Artifact, load_artifact, read_manifest
from app.cli.instantiation import instantiate
from app.cli.repository import add_precision, add_repository, read_repository
from app.cli.seams import compare_tilings
from app.data import DataModule, LabelledPicture
from app.errors import InvalidDataset
from app.evaluation import (
    FIGURES,
    Evaluation,
    Intervals,
    MasksTaken,
    OperatingPoint,
    Procedure,
    SeenPictures,
    Selection,
    evaluate,
    headline,
    measure_intervals,
    operating_points,
    percent,
    select_unseen,
)
from app.evaluation.report import METRICS, PAGE, SEAMS, SEAMS_PAGE, Gallery, explainer, make_record, write_report
from app.evaluation.report.record import warning_of
from app.pipeline import resolve_device
from app.runtime import RunOptions
from app.scoring import Interval
from app.terminal import print_line, progress_bars


def parser() -> ArgumentParser:
    parser = ArgumentParser(description="Evaluate a model on labelled pictures, and write its metrics and a report.")
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_argument("--name", type=str, required=True, help="the name of the model")
    parser.add_argument("--version", type=int, default=None, help="the version; by default the one that serves")
    parser.add_subclass_arguments(DataModule, "data", required=True, help="the data set's class, with its parameters")
    parser.add_argument("--output", type=Path, required=True, help=f"the folder to write {METRICS} and {PAGE} to")
    add_seen_pictures(parser)
    parser.add_argument(
        "--seams",
        type=bool,
        nargs="?",
        const=True,
        default=False,
        help="whether to compare the features of tiles, with several halos, with those of the network without tiles, "
        f"instead of an evaluation; writes {SEAMS} and {SEAMS_PAGE}",
    )
    add_repository(parser)
    add_precision(parser)
    return parser


def add_seen_pictures(parser: ArgumentParser) -> None:
    """Adds `--seen_pictures`, for `app.evaluation.select_unseen`."""
    parser.add_argument(
        "--seen_pictures",
        type=SeenPictures,
        default="exclude",
        help="exclude: pictures that a model was fitted to or calibrated on are left out, because figures on them "
        "are too good; those that the protocol Reference calibrated on stay, with a warning. keep: all stay, with a "
        "warning",
    )


def run(options: Namespace) -> int:
    """Evaluates and writes the report."""
    device = resolve_device(options.device)
    data: DataModule = instantiate(parser(), options).data
    entry = read_repository(options).find(options.name, options.version)
    selection = select_unseen(test_pictures(data), read_manifest(entry.path), options.seen_pictures)
    options.output.mkdir(parents=True, exist_ok=True)  # a bad folder fails before the evaluation
    artifact = load_artifact(entry, device, RunOptions(precision=options.precision, batch_tiles=0))
    note_size(artifact, data)
    if options.seams:
        compare_tilings(artifact, data, selection.pictures, options.output)
        return 0
    calibration = artifact.calibration
    gallery = Gallery(calibration, explain=explainer(artifact))
    procedure = Procedure(data.num_workers, on_unreadable=data.on_unreadable, scratch=options.output, intervals=True)
    with progress_bars() as report:
        evaluation = evaluate(artifact.model, selection.pictures, calibration, procedure, report, gallery.add)
        intervals = measure_intervals(evaluation, report)
    explained = {number: shown.explained.evidence for number, shown in gallery.shown.items() if shown.explained}
    record = make_record(evaluation, artifact, data.description, intervals, selection=selection, explained=explained)
    write_report(options.output, record, gallery, artifact.certificate)
    output = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    output.print(
        _table(evaluation, artifact, intervals), _recall_table(operating_points(evaluation.pictures, calibration))
    )
    output.print(f"at its threshold the model {headline(evaluation)}", soft_wrap=True)
    for note in (*model_notes(artifact, data, selection), *data_notes(data, evaluation)):
        print_line(f"note: {note}")
    print_line(f"wrote {options.output / METRICS} and {options.output / PAGE}")
    return 0


def test_pictures(data: DataModule) -> list[LabelledPicture]:
    """The pictures to evaluate on; raises InvalidDataset if there are none."""
    pictures = data.test_pictures()
    if not pictures:
        raise InvalidDataset(
            f"{data.description} has no pictures to evaluate on; give test pictures, for a Folder by "
            "--data.abnormal_dir or --data.normal_test_dir"
        )
    return pictures


def note_size(artifact: Artifact, data: DataModule) -> None:
    """Prints a note if the data set asks for pictures of another size than the model takes."""
    size = artifact.model.preprocessing.image_size
    if data.image_size is not None and data.image_size != size:
        what = "takes pictures as they are" if size is None else "resizes pictures to {} x {}".format(*size)
        print_line(f"note: data.image_size is not used; the model {what}, as it was trained")


def model_notes(artifact: Artifact, data: DataModule, selection: Selection) -> list[str]:
    """What the model's training and thresholds mean for the figures, and which pictures it has seen."""
    warning = warning_of(artifact.manifest, selection)
    return [*([warning] if warning else []), *_calibration_notes(artifact, data), *selection.notes]


def data_notes(data: DataModule, evaluation: Evaluation) -> list[str]:
    """What the pictures mean for the figures: about masks, missing metrics and pictures that cannot be read."""
    masks = MasksTaken.of(evaluation.pictures)
    taken = [masks.summary] if masks.files else []
    unused = [data.mask_note] if data.mask_note else []
    return [*data.notes, *taken, *unused, *evaluation.notes, *_left_out(evaluation)]


def _calibration_notes(artifact: Artifact, data: DataModule) -> list[str]:
    manifest = artifact.manifest
    if manifest.seen or manifest.calibration.protocol != "labelled" or data.validation_pictures():
        return []
    return [
        "the thresholds were fitted to labelled pictures. If these are among them, figures at the threshold are too "
        "good; give the data options of the training (--data.val_split_mode from_test)"
    ]


def _left_out(evaluation: Evaluation) -> list[str]:
    return [f"left out: {each.reason}" for each in evaluation.unreadable]


def _table(evaluation: Evaluation, artifact: Artifact, intervals: Intervals) -> Table:
    image, pixel = evaluation.image, evaluation.pixel
    title = f"{artifact.name} {artifact.version} on {image.normal} normal and {image.anomalous} anomalous pictures"
    table = Table("", "pictures", "95 % interval", "pixels", "95 % interval", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for figure in FIGURES:
        cells = []
        for level, ends in ((image, intervals.image), (pixel, intervals.pixel)):
            cells += [_shown(figure.of(level) if level else None), _range(ends.get(figure.name))]
        table.add_row(figure.label, *cells)
    return table


def _range(ends: Interval | None) -> str:
    return "" if ends is None else f"{ends[0]:.4f} to {ends[1]:.4f}"


def _recall_table(points: Sequence[OperatingPoint]) -> Table | str:
    if not points:
        return ""
    table = Table("recall of at least", "threshold", "raw threshold", "defects found", "false alarms", "precision")
    table.title = "what recall costs"
    for column in table.columns[1:]:
        column.justify = "right"
    for point in points:
        found = point.found
        rate = "" if found.false_positive_rate is None else f" ({percent(found.false_positive_rate)} %)"
        precision = "" if found.precision is None else f"{percent(found.precision)} %"
        counts = str(found.true_positives), f"{found.false_positives}{rate}", precision
        table.add_row(f"{percent(point.wanted)} %", f"{point.threshold:g}", f"{point.raw_threshold:.4g}", *counts)
    return table


def _shown(figure: float | None) -> str:
    return "" if figure is None else f"{figure:.4f}"
