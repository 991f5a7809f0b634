"""`tessera compare`."""

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.table import Table

from app.artifacts import Artifact, Entry, ModelRepository, load_artifact, read_manifest
from app.cli.evaluate import add_seen_pictures, data_notes, model_notes, note_size, test_pictures
from app.cli.instantiation import instantiate
from app.cli.repository import add_precision, add_repository, read_repository
from app.data import DataModule, LabelledPicture
from app.errors import InvalidName
from app.evaluation import (
    FIGURES,
    Comparison,
    Evaluation,
    Procedure,
    Selection,
    compare,
    evaluate,
    headline,
    select_unseen_by_both,
)
from app.evaluation.report import COMPARISON, COMPARISON_PAGE, Gallery, make_comparison_record, write_comparison
from app.pipeline import resolve_device
from app.progress import Progress
from app.runtime import RunOptions
from app.terminal import add_row, print_line, progress_bars

LISTED = 20
"""The largest number of changed verdicts on the terminal; the report has all of them."""

DRAWN = 60
"""The largest number of pictures that are drawn, for each model."""


def parser() -> ArgumentParser:
    parser = ArgumentParser(description="Compare two models on the same labelled pictures, and write a report.")
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_argument("first", type=str, help="a model: NAME, or NAME:VERSION; by default the version that serves")
    parser.add_argument("second", type=str, help="the model to compare it with")
    parser.add_subclass_arguments(DataModule, "data", required=True, help="the data set's class, with its parameters")
    parser.add_argument(
        "--output", type=Path, required=True, help=f"the folder to write {COMPARISON} and {COMPARISON_PAGE} to"
    )
    add_seen_pictures(parser)
    add_repository(parser)
    add_precision(parser)
    return parser


def run(options: Namespace) -> int:
    """Evaluates both models and writes the comparison."""
    device = resolve_device(options.device)
    data: DataModule = instantiate(parser(), options).data
    repository = read_repository(options)
    entries = [_find(repository, text) for text in (options.first, options.second)]
    if entries[0] == entries[1]:
        raise InvalidName(
            f"{options.first} and {options.second} are the same version of a model; give two, such as NAME:1 and NAME:2"
        )
    manifests = read_manifest(entries[0].path), read_manifest(entries[1].path)
    selections = select_unseen_by_both(test_pictures(data), manifests, options.seen_pictures)
    pictures = selections[0].pictures
    options.output.mkdir(parents=True, exist_ok=True)  # a bad folder fails before the evaluation
    runs = RunOptions(precision=options.precision, batch_tiles=0)
    first, second = (load_artifact(entry, device, runs) for entry in entries)
    note_size(first, data)
    note_size(second, data)
    procedure = Procedure(data.num_workers, on_unreadable=data.on_unreadable, scratch=options.output, intervals=True)
    with progress_bars() as report:
        evaluations = (
            _evaluated(first, pictures, procedure, report),
            _evaluated(second, pictures, procedure, report),
        )
        comparison = compare(*evaluations, report)
        drawn = _changed(comparison, evaluations[0], pictures)
        thumbnails = _drawn(first, drawn, data, report), _drawn(second, drawn, data, report)
    found = _notes((first, second), data, evaluations, selections)
    record = make_comparison_record(
        comparison, evaluations, (first, second), data.description, found, selections=selections
    )
    write_comparison(options.output, record, thumbnails)
    output = Console(highlight=False, width=None if sys.stdout.isatty() else 140)
    output.print(_table(comparison, (first, second)), _changes(comparison, (first, second), evaluations))
    for artifact, evaluation in zip((first, second), evaluations, strict=True):
        output.print(f"at its threshold {_title(artifact)} {headline(evaluation)}", soft_wrap=True)
    for note in found:
        print_line(f"note: {note}")
    print_line(f"wrote {options.output / COMPARISON} and {options.output / COMPARISON_PAGE}")
    return 0


def _find(repository: ModelRepository, text: str) -> Entry:
    name, _, version = text.partition(":")
    if not re.fullmatch(r"[^:]+(:[1-9][0-9]*)?", text):
        raise InvalidName(f"{text!r} names no model; give NAME, or NAME:VERSION with a version from 1")
    return repository.find(name, int(version) if version else None)


def _evaluated(
    artifact: Artifact, pictures: Sequence[LabelledPicture], procedure: Procedure, progress: Progress
) -> Evaluation:
    def report(stage: str, done: int, total: int, note: str = "") -> None:
        progress(f"{_title(artifact)}: {stage}", done, total, note)

    return evaluate(artifact.model, pictures, artifact.calibration, procedure, report)


def _changed(
    comparison: Comparison, evaluation: Evaluation, pictures: Sequence[LabelledPicture]
) -> dict[int, LabelledPicture]:
    """The pictures to draw, by their number in the evaluation."""
    by_path = {picture.path: picture for picture in pictures}
    return {number: by_path[evaluation.pictures[number].path] for number in comparison.changed[:DRAWN]}


def _drawn(
    artifact: Artifact, pictures: dict[int, LabelledPicture], data: DataModule, progress: Progress
) -> dict[int, bytes]:
    """The pictures with the model's heat, as JPEG, by their number. They are predicted again, to save memory."""
    if not pictures:
        return {}

    def report(stage: str, done: int, total: int, note: str = "") -> None:
        if stage == "pictures":
            progress(f"{_title(artifact)}: drawing", done, total, note)

    gallery = Gallery(artifact.calibration)
    procedure = Procedure(data.num_workers)
    evaluate(artifact.model, list(pictures.values()), artifact.calibration, procedure, report, gallery.add)
    numbers = list(pictures)
    return {numbers[place]: shown.jpeg for place, shown in gallery.shown.items()}


def _notes(
    artifacts: tuple[Artifact, Artifact],
    data: DataModule,
    evaluations: tuple[Evaluation, Evaluation],
    selections: tuple[Selection, Selection],
) -> list[str]:
    """The notes of both evaluations. Those on a model name it, also if they hold for both."""
    on_data = [data_notes(data, each) for each in evaluations]
    common = [note for note in on_data[0] if note in on_data[1]]
    found = [*common]
    for artifact, selection, others in zip(artifacts, selections, on_data, strict=True):
        own = [*model_notes(artifact, data, selection), *(note for note in others if note not in common)]
        found += [f"{_title(artifact)}: {note}" for note in own]
    return found


def _title(artifact: Artifact) -> str:
    return f"{artifact.name} {artifact.version}"


def _table(comparison: Comparison, artifacts: tuple[Artifact, Artifact]) -> Table:
    table = Table("", *map(_title, artifacts), "difference", "95 % interval", "p-value")
    for column in table.columns[1:]:
        column.justify = "right"
    for level, differences in (("pictures", comparison.image), ("pixels", comparison.pixel)):
        for figure in FIGURES:
            found = differences.get(figure.name)
            if found:
                ends = "" if found.low is None or found.high is None else f"{found.low:+.4f} to {found.high:+.4f}"
                p_value = "" if found.p_value is None else f"{found.p_value:.2g}"
                values = f"{found.first:.4f}", f"{found.second:.4f}", f"{found.difference:+.4f}"
                table.add_row(f"{level}: {figure.label}", *values, ends, p_value)
    return table


def _changes(
    comparison: Comparison, artifacts: tuple[Artifact, Artifact], evaluations: tuple[Evaluation, Evaluation]
) -> Table | str:
    """The pictures whose verdicts differ."""
    if not comparison.changed:
        return "no verdict differs"
    table = Table("verdicts that differ", "kind", *map(_title, artifacts))
    for number in comparison.changed[:LISTED]:
        results = [evaluation.pictures[number] for evaluation in evaluations]
        cells = [f"{each.score:.3f} {'anomalous' if each.exceeds else 'normal'}" for each in results]
        add_row(table, results[0].path.name, results[0].kind, *cells)
    if len(comparison.changed) > LISTED:
        table.add_row(f"and {len(comparison.changed) - LISTED} more", "", "", "")
    return table
