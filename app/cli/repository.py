"""The options that several commands share."""

from pathlib import Path

from jsonargparse import ArgumentParser, Namespace

from app.artifacts import ModelRepository
from app.cli.models_dir import MODELS_DIR, default_models_dir
from app.errors import UnreadableRepository
from app.runtime import Precision, PrecisionChoice


def add_repository(parser: ArgumentParser) -> None:
    """Adds the options of the model repository and of the device."""
    add_models_dir(parser)
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda or cuda:N")


def add_models_dir(parser: ArgumentParser) -> None:
    """Adds the option of the model repository."""
    parser.add_argument(
        "--models_dir",
        type=Path,
        default=default_models_dir(),
        help=f"the model repository; by default the folder that {MODELS_DIR} names, or else models",
    )


def read_repository(options: Namespace) -> ModelRepository:
    """The model repository of a command that reads models. Raises UnreadableRepository if it is not a directory."""
    root: Path = options.models_dir
    if not root.is_dir():
        raise UnreadableRepository(
            f"{root} is not a directory; name the folder of the models by --models_dir or {MODELS_DIR}"
        )
    return ModelRepository(root)


def add_precision(parser: ArgumentParser, default: PrecisionChoice = Precision.float32) -> None:
    """Adds the option of the precision in which networks are computed."""
    known = "auto, float32, bfloat16 or float16; auto: as in `tessera serve`"
    parser.add_argument("--precision", type=PrecisionChoice, default=default, help=known)
