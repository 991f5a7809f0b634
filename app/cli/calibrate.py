"""`tessera calibrate`."""

import sys
from collections.abc import Sequence
from dataclasses import asdict

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.table import Table

from app.artifacts import (
    Artifact,
    CalibrationRecord,
    DigestRecord,
    Entry,
    ModelRepository,
    QualityRecord,
    load_artifact,
    write_recalibrated,
)
from app.cli.instantiation import instantiate
from app.cli.pinned import pin_notes
from app.cli.repository import add_precision, add_repository, read_repository
from app.data import GOOD, DataModule, LabelledPicture, UnreadablePolicy, read_digests
from app.errors import InvalidDataset, InvalidParameter
from app.pipeline import resolve_device
from app.runtime import RunOptions
from app.scoring import Calibration, share_interval
from app.terminal import print_line, print_skipped, progress_bars
from app.training import Goal, ReadingOptions, Recalibrated, alike_note, recalibrate
from app.training.calibration import false_alarms
from app.training.recalibration import RATE


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Set new thresholds for a model without training it, and write it as the next version, which "
        "shares the weights. The pictures are the validation pictures of the data set, or its test pictures, or, "
        "without any labelled pictures, its normal pictures. Pictures that the model was fitted to are left out. "
        "Without a goal, the thresholds are those with the best F1; for normal pictures only, those of "
        f"{RATE:.0%} false alarms."
    )
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_argument("--name", type=str, required=True, help="the name of the model")
    parser.add_argument("--version", type=int, default=None, help="the version; by default the one that serves")
    parser.add_subclass_arguments(
        DataModule, "data", required=False, help="the data set's class, with its parameters; not needed with values"
    )
    parser.add_argument("--recall", type=float | None, default=None, help="the share of the defects to find, up to 1")
    parser.add_argument(
        "--false_positive_rate", type=float | None, default=None, help="the rate of false alarms among normal pictures"
    )
    scale = "in the scale of scores that the API and the page take: 0.5 is the present threshold"
    parser.add_argument("--image_threshold", type=float | None, default=None, help=f"a value for pictures, {scale}")
    parser.add_argument("--pixel_threshold", type=float | None, default=None, help=f"a value for pixels, {scale}")
    add_repository(parser)
    add_precision(parser)
    return parser


def run(options: Namespace) -> int:
    """Calibrates and writes a version."""
    goal = Goal(options.recall, options.false_positive_rate, options.image_threshold, options.pixel_threshold)
    device, repository = resolve_device(options.device), read_repository(options)
    data: DataModule | None = instantiate(parser(), options).data
    if data is None and not goal.values:
        raise InvalidParameter(
            "there are no pictures to calibrate on; give data, or an image_threshold or pixel_threshold"
        )
    entry = repository.find(options.name, options.version)
    artifact = load_artifact(entry, device, RunOptions(precision=options.precision, batch_tiles=0))
    pictures = [] if data is None else _pictures(data, artifact)
    policy = UnreadablePolicy(data.on_unreadable if data else "stop", print_skipped)
    reading = ReadingOptions(data.num_workers if data else 0, 0, policy)
    with progress_bars() as report:
        found = recalibrate(artifact.model, goal, pictures, reading, report)
    written = _write(found, artifact, entry, repository)
    output = Console(highlight=False, width=None if sys.stdout.isatty() else 120)
    output.print(_table(found, artifact, written))
    for line in (*_unchanged(found, artifact, written), *_notes(found, data), *_next(entry, written, repository)):
        print_line(line)
    return 0


def _pictures(data: DataModule, artifact: Artifact) -> list[LabelledPicture]:
    """The pictures to calibrate on: those of the data set that the model was not fitted to."""
    given = data.validation_pictures() or data.test_pictures()
    given = given or [LabelledPicture(path, GOOD, None) for path in data.train_pictures()]
    seen = artifact.manifest.seen
    if seen is None or seen.fitted is None:
        print_line(
            "note: the model does not record which pictures it was fitted to; give pictures that it was not fitted to"
        )
        return given
    fitted = set(seen.fitted.digests)
    known = {path for path, digest in read_digests(each.path for each in given).items() if digest in fitted}
    unseen = [each for each in given if each.path not in known]
    if not unseen:
        raise InvalidDataset(
            f"the model was fitted to all of the {len(given)} pictures, so that their scores are too low; calibrate on "
            "other pictures"
        )
    if known:
        print_line(f"note: {len(known)} of {len(given)} pictures are left out, because the model was fitted to them")
    return unseen


def _write(found: Recalibrated, source: Artifact, entry: Entry, repository: ModelRepository) -> Entry:
    calibrated = found.calibrated
    record = CalibrationRecord.model_validate(
        {
            "protocol": found.protocol,
            "pictures": calibrated.pictures,
            "anomalous_pictures": calibrated.anomalous_pictures,
            "false_positive_rate": calibrated.false_positive_rate,
            **asdict(calibrated.calibration),
            "thresholds": calibrated.thresholds,
            "normal_level": calibrated.normal_level or source.manifest.calibration.normal_level,
        }
    )
    normal = [each.raw_score for each in found.scored if not each.anomalous]
    alarms = false_alarms(normal, calibrated.calibration.image_threshold) if normal else None
    quality = QualityRecord(false_alarms=alarms, alike=calibrated.alike) if alarms else None
    digests = DigestRecord.of(read_digests(found.used).values())
    return write_recalibrated(entry, repository, record, quality, digests, found.camera)


def _table(found: Recalibrated, artifact: Artifact, written: Entry) -> Table:
    before, after = artifact.calibration, found.calibrated.calibration
    table = Table("", f"version {artifact.version}", f"version {written.version}")
    table.title = f"{artifact.name}: new thresholds ({found.protocol})"
    for column in table.columns[1:]:
        column.justify = "right"
    for level, old, new, span in (
        ("pictures", before.image_threshold, after.image_threshold, before.image_max - before.image_min),
        ("pixels", before.pixel_threshold, after.pixel_threshold, before.pixel_max - before.pixel_min),
    ):
        table.add_row(f"threshold of {level}, raw", f"{old:.6g}", f"{new:.6g}")
        table.add_row(f"  in the scale of version {artifact.version}", "0.500", f"{(new - old) / span + 0.5:.3f}")
    for label, anomalous in (("false alarms", False), ("defects found", True)):
        table.add_row(label, *(_share(*_exceeding(found, each, anomalous)) for each in (before, after)))
    return table


def _exceeding(found: Recalibrated, calibration: Calibration, anomalous: bool) -> tuple[int, int]:
    """How many of the measured pictures with this label exceed the threshold, and how many there are."""
    scores = [each.raw_score for each in found.scored if each.anomalous is anomalous]
    return sum(score > calibration.image_threshold for score in scores), len(scores)


def _share(count: int, total: int) -> str:
    if not total:
        return ""
    low, high = share_interval(count, total)
    return f"{count} of {total}: {count / total:.1%} ({low:.1%} to {high:.1%})"


def _unchanged(found: Recalibrated, artifact: Artifact, written: Entry) -> Sequence[str]:
    before, after = artifact.calibration, found.calibrated.calibration
    if before != after:
        return []
    return [
        f"note: the thresholds are the same as those of version {artifact.version}, so that version {written.version} "
        "gives the same results; it differs only in the record of its calibration"
    ]


def _notes(found: Recalibrated, data: DataModule | None) -> Sequence[str]:
    notes = []
    if found.calibrated.alike:
        notes.append(f"note: {alike_note(found.calibrated.alike)}")
    if found.scored:
        notes.append("note: in parentheses the 95 % intervals (Clopper-Pearson)")
    if found.used:
        notes.append("note: the new thresholds were set on these pictures; on others they find less, or alarm more")
    if data is not None and set(found.used) & {each.path for each in data.test_pictures()}:
        notes.append(
            "note: the pictures are test pictures of the data set, so that `tessera evaluate` leaves them out; "
            "--data.val_split_mode from_test sets some aside for calibration"
        )
    return notes


def _next(source: Entry, written: Entry, repository: ModelRepository) -> Sequence[str]:
    name, version = written.name, written.version
    return [
        f"wrote version {version} of {name} to {written.path}, with the weights of version {source.version}; a running "
        "server will find it",
        *pin_notes(written, repository),
        f"next: tessera evaluate --name {name} --version {version} --data ... --output report, on other pictures",
    ]
