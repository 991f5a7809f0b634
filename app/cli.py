"""The command line: `tessera serve | train | predict | models`."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from time import monotonic

import torch
from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import TimeRemainingColumn as TimeLeftColumn
from rich.table import Table
from rich.text import Text

from app.api.schemas.prediction import PredictionBody
from app.artifacts import Artifact, Entry, Manifest, ModelRepository, load_artifact, read_manifest
from app.decoding import decode
from app.detectors import Detector
from app.detectors import Progress as Report
from app.errors import InvalidDataset, TesseraError
from app.main import serve
from app.pipeline import BATCH_TILES, interpret, predict, resolve_device
from app.service import Predicted, Timings
from app.service.pictures import Extras, heatmap_png
from app.settings import Settings
from app.tiling import Tiling
from app.training import DataModule, HoldOut, Recipe, plan_training, train
from app.training.data import MAX_PIXELS, pictures_in

console = Console(stderr=True, highlight=False)  # results go to standard output, words about the work here


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command: 0 when it did all that it was asked, 1 with a line that says why not."""
    commands = {"serve": _serve, "train": _train, "predict": _predict, "models": _models}
    parser = build_parser()
    options = parser.parse_args(arguments)
    try:
        return commands[options.command](options[options.command])
    except (TesseraError, OSError) as error:
        _complain(str(error))
    except KeyboardInterrupt:
        _complain("stopped")
    return 1


def _complain(message: str) -> None:
    console.print("[bold red]error:[/]", Text(message), soft_wrap=True)


def build_parser() -> ArgumentParser:
    """The parser of all commands; each also reads `--config FILE` and writes it with `--print_config`."""
    parser = ArgumentParser(prog="tessera", description="Tiled visual anomaly detection.")
    commands = parser.add_subcommands(dest="command")
    commands.add_subcommand("serve", _serve_parser(), help="serve the models of a repository over HTTP")
    commands.add_subcommand("train", _train_parser(), help="train a model on normal pictures")
    commands.add_subcommand("predict", _predict_parser(), help="predict pictures or folders of them")
    commands.add_subcommand("models", _models_parser(), help="list or verify the models of a repository")
    return parser


def _serve_parser() -> ArgumentParser:
    parser = ArgumentParser(description="Serve models over HTTP. Every setting is also read from TESSERA_<SETTING>.")
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    for name, field in Settings.model_fields.items():
        kind = field.annotation | None  # type: ignore[operator]  # a type that is known at run time only
        parser.add_argument(f"--{name}", type=kind, default=None, help=f"{field.description} [{field.default}]")
    return parser


def _serve(options: Namespace) -> int:
    given = {name: options[name] for name in Settings.model_fields if options[name] is not None}
    return serve(Settings(**given))


def _train_parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Train a model on normal pictures, and write it as the next version of its name."
    )
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_subclass_arguments(Detector, "model", required=True, help="Padim or Patchcore, with its parameters")
    parser.add_subclass_arguments(DataModule, "data", required=True, help="MVTec or Folder, with its parameters")
    parser.add_class_arguments(Tiling, "tiling")
    parser.add_class_arguments(HoldOut, "calibration")
    parser.add_argument("--name", type=str, required=True, help="what the model is called")
    _add_repository(parser)
    parser.add_argument("--seed_everything", type=int, default=0, help="of the random choices that detectors make")
    return parser


def _add_repository(parser: ArgumentParser) -> None:
    parser.add_argument("--models_dir", type=Path, default=Path("models"), help="the model repository")
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda or cuda:N")


def _train(options: Namespace) -> int:
    torch.manual_seed(options.seed_everything)  # before the detector draws its channels
    values = _train_parser().instantiate(options)
    device = resolve_device(options.device)
    recipe = Recipe(values.model, values.data, values.tiling, values.calibration, options.seed_everything)
    job = plan_training(recipe, device)
    console.print(
        f"{values.model.name} on {len(job.fit)} pictures, calibrated on {len(job.calibrate)} others; "
        f"about {job.needed_bytes / 2**30:.1f} GiB of memory on {device}"
    )
    with _progress() as report:
        entry = train(recipe, job, ModelRepository(options.models_dir), options.name, device, report)
    console.print(f"wrote version {entry.version} of {entry.name} to {entry.path}")
    return 0


def _predict_parser() -> ArgumentParser:
    parser = ArgumentParser(description="Predict pictures: a JSON file, an overlay and a mask for each.")
    parser.add_argument("pictures", type=Path, nargs="+", help="picture files, or folders of them")
    parser.add_argument("--name", type=str, required=True, help="the model")
    parser.add_argument("--version", type=int, default=None, help="the newest by default")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write to")
    _add_repository(parser)
    return parser


def _predict(options: Namespace) -> int:
    device = resolve_device(options.device)
    artifact = load_artifact(ModelRepository(options.models_dir).find(options.name, options.version), device)
    files = dict(found for path in options.pictures for found in pictures_in(path))
    if len(set(files.values())) < len(files):
        raise InvalidDataset("several of these pictures have the same name below their folder; predict them separately")
    failed = 0
    with _progress() as report:
        for number, (path, stem) in enumerate(files.items(), start=1):
            try:
                body = _predict_file(artifact, path, options.output / stem)
                console.print(
                    f"{body.label:9}  {body.score:.3f}  {len(body.regions):3} regions  {path}", soft_wrap=True
                )
            except (TesseraError, OSError) as error:
                failed += 1
                _complain(f"{path}: {error}")
            report("pictures", number, len(files))
    return 1 if failed else 0


def _predict_file(artifact: Artifact, path: Path, target: Path) -> PredictionBody:
    """Writes `target`.json, .overlay.png and .mask.png."""
    times = [monotonic()]
    image = decode(path.read_bytes(), max_pixels=MAX_PIXELS)
    times.append(monotonic())
    outcome = predict(artifact.model, image, BATCH_TILES[artifact.model.device.type])
    times.append(monotonic())
    prediction = interpret(outcome, artifact.manifest.calibration.build())
    predicted = Predicted(artifact, image, artifact.model.plan(*image.shape[-2:]), prediction)
    target.parent.mkdir(parents=True, exist_ok=True)
    for style in ("overlay", "mask"):
        target.with_name(f"{target.name}.{style}.png").write_bytes(heatmap_png(predicted, style))
    times.append(monotonic())
    decode_s, device_s, render_s = (later - earlier for earlier, later in pairwise(times))
    timings = Timings(decode_s, 0.0, device_s, render_s, times[-1] - times[0])
    body = PredictionBody.of(predicted, timings, Extras(None, None, None))
    target.with_name(f"{target.name}.json").write_text(body.model_dump_json(indent=2, exclude_none=True) + "\n")
    return body


def _models_parser() -> ArgumentParser:
    parser = ArgumentParser(description="List the models of a repository, or verify them as a server would.")
    parser.add_argument("action", choices=("list", "verify"), help="read the manifests, or load every version")
    _add_repository(parser)
    return parser


def _models(options: Namespace) -> int:
    repository, device = ModelRepository(options.models_dir), resolve_device(options.device)
    table = Table("model", "version", "detector", "tile", "stride", "image size", "trained on", "state")
    failed = 0
    for entry in repository.entries():
        try:
            manifest = (
                load_artifact(entry, device).manifest if options.action == "verify" else read_manifest(entry.path)
            )
            table.add_row(*_summary(entry, manifest), "verified" if options.action == "verify" else "")
        except TesseraError as error:
            failed += 1
            table.add_row(entry.name, str(entry.version), *[""] * 5, Text(f"{error.code}: {error}", style="red"))
    Console(highlight=False, width=None if sys.stdout.isatty() else 160).print(table)
    return 1 if failed else 0


def _summary(entry: Entry, manifest: Manifest) -> list[str]:
    tiling, size = manifest.tiling, manifest.preprocessing.image_size
    return [
        entry.name,
        str(entry.version),
        manifest.detector.name,
        "{} x {}".format(*tiling.tile_size) if tiling.enable else "whole picture",
        "{} x {}".format(*tiling.stride) if tiling.enable else "",
        "{} x {}".format(*size) if size else "any",
        f"{manifest.provenance.dataset}, {manifest.provenance.pictures} pictures",
    ]


@contextmanager
def _progress() -> Iterator[Report]:
    """Bars on the terminal, one for each stage of the work."""
    columns = TextColumn("{task.description:12}"), BarColumn(), MofNCompleteColumn()
    with Progress(*columns, TimeElapsedColumn(), TimeLeftColumn(), console=console) as progress:
        tasks: dict[str, TaskID] = {}

        def report(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = progress.add_task(stage, total=total)
            progress.update(tasks[stage], completed=done)

        yield report
