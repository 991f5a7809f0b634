"""`tessera bench`."""

from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import torch
from jsonargparse import ArgumentParser, Namespace

from app.application import MOST_CPU_LANES
from app.artifacts import Artifact, Entry, load_artifact
from app.cli.repository import add_precision, add_repository, read_repository
from app.cli.usage import UsageError
from app.errors import ModelNotFound, TesseraError
from app.pipeline import Execution, resolve_device
from app.runtime import Precision, PrecisionChoice, RunOptions
from app.runtime.hardware import fast_precision
from app.sizing import Figures, Place, default_file, measure, resident_bytes, write_figures
from app.terminal import print_error, print_line

BUDGET_S = 50.0
"""After this time no further model is measured."""


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Measure the models on this machine in about a minute, and keep the figures for `tessera estimate`."
    )
    parser.add_argument("--name", type=str | None, default=None, help="the name of one model; by default all models")
    parser.add_argument("--version", type=int | None, default=None, help="its version; by default the one that serves")
    add_measurement(parser)
    return parser


def add_measurement(parser: ArgumentParser) -> None:
    """Adds the options of how models are measured, and where the figures are kept."""
    add_repository(parser)
    add_precision(parser, default="auto")
    parser.add_argument(
        "--figures", type=Path | None, default=None, help=f"the file of the figures; default: {default_file()}"
    )


def run(options: Namespace) -> int:
    """Measures models; returns 1 if some cannot be loaded. Raises UsageError, ModelNotFound or VersionNotFound."""
    if options.version is not None and options.name is None:
        raise UsageError("--version needs --name", hint="example: tessera bench --name surface --version 2")
    repository = read_repository(options)
    names = repository.names() if options.name is None else [options.name]
    entries = [repository.find(name, options.version) for name in names if options.name or repository.versions(name)]
    if not entries:
        raise ModelNotFound(f"there is no model in {options.models_dir}; train or import one, or give --models_dir")
    base_bytes, started, failed = resident_bytes(), monotonic(), False
    for number, entry in enumerate(entries):
        if number and monotonic() - started > BUDGET_S:
            left = ", ".join(entry.name for entry in entries[number:])
            print_line(f"not measured, to keep to a minute: {left}; give --name")
            break
        try:
            artifact, figures = measured(entry, options, base_bytes)
        except TesseraError as error:
            print_error(f"{entry.name} version {entry.version}: {error}")
            failed = True
        else:
            print(_line(artifact, figures), flush=True)
            for note in precision_notes(artifact.model.execution, options.precision):
                print_line(f"note: {note}")
            del artifact  # before the next model is loaded
    return int(failed)


def measured(entry: Entry, options: Namespace, base_bytes: int) -> tuple[Artifact, Figures]:
    """Measures a model as a server with the default settings runs it, and keeps the figures.

    Raises InvalidArtifact or InvalidDevice.
    """
    device, processors = resolve_device(options.device), torch.get_num_threads()
    lanes = min(processors, MOST_CPU_LANES)
    run_options = RunOptions(options.precision, batch_tiles=0, keep_weights=False, lanes=lanes)
    print_line(f"measuring {entry.name} version {entry.version} ...")
    artifact, figures = measure(lambda: load_artifact(entry, device, run_options), processors, base_bytes)
    path = options.figures or default_file()
    try:
        write_figures(path, Place.here(device), key_of(artifact.digest, options.precision), figures)
    except OSError as error:
        print_line(f"note: the figures are not kept: {path}: {error.strerror}; give another file by --figures")
    return artifact, figures


def key_of(digest: str, precision: PrecisionChoice) -> str:
    """The key of a model's figures: the SHA-256 of its manifest, and the precision that was asked for."""
    return f"{digest}:{precision}"


def precision_notes(execution: Execution, asked: PrecisionChoice) -> Iterator[str]:
    """How `auto` chose the precision on a CPU, if it had a choice: a server measures again, and may choose another."""
    own, tried = execution.network.precision, execution.trials
    known = fast_precision(torch.device("cpu"))
    if asked != "auto" or known is None or not tried:
        return
    best_s: dict[Precision, float] = {}
    for trial in tried:
        best_s[trial.candidate.precision] = min(trial.seconds, best_s.get(trial.candidate.precision, trial.seconds))
    other = Precision.float32 if own is known else known
    if own not in best_s or other not in best_s:
        found = f"{other if own in best_s else own} was not measured, because other programs took the time"
    else:
        found = f"{other} took {best_s[other] / best_s[own]:.1f} times as long as {own}"
    yield (
        f"{found}; a server measures again when it loads the model, and may choose the other precision "
        "(GET /v1/models/NAME shows it); --precision and TESSERA_PRECISION fix it for both"
    )


def _line(artifact: Artifact, figures: Figures) -> str:
    height, width = artifact.model.tile_size or (1000, 1000)
    what = "tiles" if artifact.model.tile_size else "megapixels"
    rate = 1 / (figures.pixel_s * height * width)
    decoding = ", ".join(f"{1e6 * each * 1000:.0f} ms {name}" for name, each in figures.decode_s.items())
    return (
        f"{artifact.name} version {artifact.version}: {rate:.1f} {what} a second by {figures.lanes} lanes in "
        f"{artifact.model.network.precision}, {figures.resident_bytes / 2**20:,.0f} MiB; decoding a megapixel takes "
        f"{decoding}"
    )
