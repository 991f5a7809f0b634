"""`tessera import`."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from app.artifacts import ModelRepository
from app.cli.instantiation import instantiate
from app.cli.pinned import pin_notes
from app.cli.repository import add_repository
from app.importing import Choices, NormalisationChoice, Thresholds, import_model
from app.pipeline import resolve_device
from app.terminal import print_line
from app.tiling import Tiling, as_size


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Import a model that anomalib 2.x trained, and write it as the next version of the model. Does not "
        "need anomalib, and executes no code from the file."
    )
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_argument("file", type=Path, help="a checkpoint (.ckpt), or an export of type torch (.pt)")
    parser.add_argument("--name", type=str, required=True, help="the name of the model")
    parser.add_argument(
        "--tiling",
        type=Tiling | None,
        default=None,
        help="--tiling.tile_size, --tiling.stride, ... as in training, or --tiling.enable false; required for "
        "checkpoints, which do not contain it",
    )
    parser.add_argument(
        "--image_size",
        type=int | list[int] | None,
        default=None,
        help="an edge length or [height, width], instead of the file's size; required for checkpoints of anomalib "
        "before 2.7",
    )
    parser.add_argument(
        "--antialias",
        type=bool | None,
        default=None,
        help="whether resizing is antialiased; default: as in training; false: as anomalib's exported models do",
    )
    parser.add_argument(
        "--normalisation",
        type=NormalisationChoice | None,
        default=None,
        help="instead of the file's mean and standard deviation; required if the checkpoint records a pre-processor "
        "without a transform",
    )
    raw = "a raw value, instead of the file's threshold; required if the file has none"
    parser.add_argument("--image_threshold", type=float | None, default=None, help=raw)
    parser.add_argument("--pixel_threshold", type=float | None, default=None, help=raw)
    add_repository(parser)
    return parser


def run(options: Namespace) -> int:
    """Imports a model. Prints what the file contained and what was assumed."""
    values = instantiate(parser(), options)
    choices = Choices(
        values.tiling,
        None if options.image_size is None else as_size("image_size", options.image_size),
        options.antialias,
        Thresholds(options.image_threshold, options.pixel_threshold),
        options.normalisation,
    )
    repository, device = ModelRepository(options.models_dir), resolve_device(options.device)
    imported = import_model(options.file, repository, options.name, choices, device)
    for line in imported.taken:
        print_line(line)
    for line in imported.assumed:
        print_line(f"note: {line}")
    print_line(f"wrote version {imported.entry.version} of {imported.entry.name} to {imported.entry.path}")
    for line in pin_notes(imported.entry, repository):
        print_line(line)
    return 0
