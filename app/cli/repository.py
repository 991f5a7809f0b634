"""The arguments of every command that touches models."""

from pathlib import Path

from jsonargparse import ArgumentParser


def add_repository(parser: ArgumentParser) -> None:
    """Where models lie, and what computes."""
    parser.add_argument("--models_dir", type=Path, default=Path("models"), help="the model repository")
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda or cuda:N")
