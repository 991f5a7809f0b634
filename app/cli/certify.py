"""`tessera certify`."""

import re
import sys
from datetime import UTC, datetime
from pathlib import Path

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.table import Table

from app.artifacts import (
    CERTIFICATE,
    Artifact,
    CertificateRecord,
    GradeRecord,
    Manifest,
    PlaceRecord,
    load_artifact,
    read_manifest,
    write_certificate,
)
from app.cli.instantiation import instantiate
from app.cli.repository import add_precision, add_repository, read_repository
from app.data import GOOD, DataModule, LabelledPicture, UnreadablePolicy, decoded, spread
from app.errors import InvalidDataset, InvalidParameter
from app.evaluation import Selection, select_unseen
from app.evaluation.certificate import Certified, MarkedPictures, Plan, certify
from app.evaluation.report import CERTIFICATE_PAGE, write_certificate_page
from app.pipeline import resolve_device
from app.progress import Progress
from app.runtime import RunOptions
from app.terminal import add_row, print_line, print_skipped, progress_bars
from app.version import VERSION

DEFAULTS = Plan()
PICTURES = 24
"""The number of pictures into which marks are drawn, spread over the data set."""

FEW_MARKS = 30
"""With fewer marks of each kind and contrast, a note says that intervals are wide."""

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Measure which sizes of scratches, pits, stains and missing print a model finds: draws marks of "
        "graded size and contrast into normal pictures that the model has not seen, at places all over the picture, "
        "and reports the size that is found with 95 % probability at the model's thresholds. Writes the certificate "
        f"beside the version ({CERTIFICATE}), which keeps its digest; servers show it."
    )
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_argument("--name", type=str, required=True, help="the name of the model")
    parser.add_argument("--version", type=int, default=None, help="the version; by default the one that serves")
    parser.add_subclass_arguments(
        DataModule,
        "data",
        required=True,
        help="the data set's class, with its parameters: its normal pictures that the model has not seen are used",
    )
    parser.add_argument(
        "--contrasts",
        type=list[float],
        default=list(DEFAULTS.contrasts),
        help="the largest changes of a pixel to try, as shares of its value, above 0 and at most 1",
    )
    parser.add_argument(
        "--marks", type=int, default=DEFAULTS.marks, help="the number of marks of each kind and contrast, 10 to 1000"
    )
    parser.add_argument(
        "--budget",
        type=str | None,
        default=None,
        help="the longest time for the marks, such as 90s, 5m or 1h; fewer marks are drawn if it is too short. The "
        "certificate records their number, which repeats it as --marks. By default there is no limit",
    )
    parser.add_argument("--seed", type=int, default=DEFAULTS.seed, help="the seed of all random choices")
    parser.add_argument(
        "--output", type=Path | None, default=None, help=f"a folder to write {CERTIFICATE_PAGE} and {CERTIFICATE} to"
    )
    add_repository(parser)
    add_precision(parser)
    return parser


def run(options: Namespace) -> int:
    """Measures, and writes the certificate."""
    plan = Plan(tuple(options.contrasts), options.marks, budget_seconds(options.budget), options.seed)
    device = resolve_device(options.device)
    data: DataModule = instantiate(parser(), options).data
    repository = read_repository(options)
    entry = repository.find(options.name, options.version)
    repository.require_place(entry.name)  # a folder that cannot be written to fails before the measurement
    selection = _unseen(normal_pictures(data), read_manifest(entry.path))
    if options.output is not None:
        options.output.mkdir(parents=True, exist_ok=True)  # a bad folder fails before the measurement
    artifact = load_artifact(entry, device, RunOptions(precision=options.precision, batch_tiles=0))
    with progress_bars() as report:
        pictures = _marked_pictures(artifact, data, selection, report)
        certified = certify(pictures, plan, report)
    record = certificate_record(certified, pictures, artifact, data.description, plan.seed)
    write_certificate(entry.path, record)
    output = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    output.print(_table(record, artifact))
    for grade in record.headlines:
        output.print(str(grade), soft_wrap=True)
    for note in (*selection.notes, *_notes(record)):
        print_line(f"note: {note}")
    print_line(f"wrote {entry.path / CERTIFICATE}")
    if options.output is not None:
        write_certificate_page(options.output, record, artifact)
        print_line(f"wrote {options.output / CERTIFICATE_PAGE} and {options.output / CERTIFICATE}")
    return 0


def budget_seconds(text: str | None) -> float | None:
    """The seconds of a time such as 90s, 5m or 1h; raises InvalidParameter."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if found is None:
        raise InvalidParameter(f"budget is {text!r}; use a number with s, m or h, such as 90s, 5m or 1h")
    return float(found[1]) * _UNITS[found[2] or "s"]


def normal_pictures(data: DataModule) -> list[LabelledPicture]:
    """The normal pictures of a data set, those for testing first; raises InvalidDataset if there are none."""
    testing = [each for each in data.test_pictures() if not each.anomalous]
    known = {each.path for each in testing}
    training = [LabelledPicture(path, GOOD, None) for path in data.train_pictures() if path not in known]
    if not testing and not training:
        raise InvalidDataset(f"{data.description} has no normal pictures to draw marks into")
    return [*testing, *training]


def _unseen(normal: list[LabelledPicture], manifest: Manifest) -> Selection:
    """The pictures that the model has not seen; raises InvalidDataset if there are none."""
    try:
        return select_unseen(normal, manifest)
    except InvalidDataset as error:
        raise InvalidDataset(
            f"the model was fitted to or calibrated on all of the {len(normal)} normal pictures, and finds too much in "
            "them; name others by data.root"
        ) from error


def _marked_pictures(artifact: Artifact, data: DataModule, selection: Selection, report: Progress) -> MarkedPictures:
    """Some of the pictures, spread over all, as far as memory allows, measured without marks."""
    chosen = list(selection.pictures)
    if len(chosen) > PICTURES:
        _, chosen = spread(chosen, PICTURES)
    pictures = MarkedPictures(artifact.model, artifact.calibration)
    policy = UnreadablePolicy(data.on_unreadable, print_skipped)
    for number, image in enumerate(decoded([each.path for each in chosen], data.num_workers, policy), start=1):
        pictures.add(image)
        report("pictures", number, len(chosen))
        if pictures.is_full:
            break
    return pictures


def certificate_record(
    certified: Certified, pictures: MarkedPictures, artifact: Artifact, dataset: str, seed: int
) -> CertificateRecord:
    """The record of what was measured."""
    return CertificateRecord(
        digest=artifact.digest,
        created_at=datetime.now(UTC).isoformat(timespec="seconds"),
        tessera_version=VERSION,
        dataset=dataset[:300],
        pictures=len(pictures),
        size=pictures.size,
        seed=seed,
        marks=certified.marks,
        false_alarms=certified.false_alarms,
        grades=tuple(grade.record() for grade in certified.grades),
        grid=certified.grid,
        places=certified.places,
    )


def _table(record: CertificateRecord, artifact: Artifact) -> Table:
    title = f"{artifact.name} {artifact.version}: size in pixels that is found with 95 % probability"
    table = Table("mark", "contrast", "size", "95 % interval", "marks", title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    for grade in record.grades:
        tried = sum(each.tried for each in grade.tried)
        cells = size_text(grade), interval_text(grade), str(tried)
        add_row(table, grade.kind, f"{100 * grade.contrast:.3g} %", *cells)
    return table


def size_text(grade: GradeRecord) -> str:
    """The size of a grade in words."""
    if not grade.tried:
        return "no place"
    return f"over {grade.tried[-1].size}" if grade.smallest is None else f"{grade.smallest:.2g}"


def interval_text(grade: GradeRecord) -> str:
    """The interval of a grade in words; an open end is that of the sizes that were tried."""
    if not grade.tried:
        return ""
    low = f"{grade.low:.2g}" if grade.low is not None else "..."
    return f"{low} to {'...' if grade.high is None else f'{grade.high:.2g}'}"


def _notes(record: CertificateRecord) -> list[str]:
    notes = [
        f"without marks, {record.false_alarms} of these pictures are called anomalous (95 % interval in parentheses)"
    ]
    if record.marks < FEW_MARKS:
        notes.append(
            f"{record.marks} marks of each kind and contrast are few, and intervals are wide; give more --marks, or a "
            "longer --budget"
        )
    worst = max(record.places, key=lambda place: place.factor)
    if worst.low > 1:
        row, column = divmod(record.places.index(worst), record.grid[1])
        notes.append(
            f"marks must be {worst.factor:.2g} times as large in row {row + 1} of {record.grid[0]}, column "
            f"{column + 1} of {record.grid[1]} of the picture ({_range(worst)})"
        )
    if any(not grade.tried for grade in record.grades):
        notes.append("no place: these pictures have no print of that contrast, or no part without a false alarm")
    return notes


def _range(place: PlaceRecord) -> str:
    return f"{place.low:.2g} to {place.high:.2g}"
