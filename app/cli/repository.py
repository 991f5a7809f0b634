"""The arguments of every command that touches models."""

from pathlib import Path

from jsonargparse import ArgumentParser

from app.runtime import PrecisionChoice


def add_repository(parser: ArgumentParser) -> None:
    """Where models lie, and what computes."""
    parser.add_argument("--models_dir", type=Path, default=Path("models"), help="the model repository")
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda or cuda:N")


def add_precision(parser: ArgumentParser) -> None:
    """What networks are computed in."""
    known = "auto, float32, bfloat16 or float16; auto as `tessera serve` takes it"
    parser.add_argument("--precision", type=PrecisionChoice, default="float32", help=known)
