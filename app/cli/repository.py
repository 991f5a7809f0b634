"""The options that several commands share."""

from pathlib import Path

from jsonargparse import ArgumentParser

from app.cli.models_dir import MODELS_DIR, default_models_dir
from app.runtime import Precision, PrecisionChoice


def add_repository(parser: ArgumentParser) -> None:
    """Adds the options of the model repository and of the device."""
    parser.add_argument(
        "--models_dir",
        type=Path,
        default=default_models_dir(),
        help=f"the model repository; by default the folder that {MODELS_DIR} names, or else models",
    )
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda or cuda:N")


def add_precision(parser: ArgumentParser, default: PrecisionChoice = Precision.float32) -> None:
    """Adds the option of the precision in which networks are computed."""
    known = "auto, float32, bfloat16 or float16; auto: as in `tessera serve`"
    parser.add_argument("--precision", type=PrecisionChoice, default=default, help=known)
