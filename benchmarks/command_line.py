"""The options that most measurements have."""

import argparse
from pathlib import Path


def with_root(description: str | None) -> argparse.ArgumentParser:
    """A parser of `--root`, where the data set is; more can be added."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="a folder in MVTec AD's layout, of KolektorSDD")
    return parser


def with_data(description: str | None) -> argparse.ArgumentParser:
    """A parser of `--root` and of `--weights`, of a ResNet-18; more can be added."""
    parser = with_root(description)
    parser.add_argument("--weights", type=Path, required=True, help="a file, of a ResNet-18")
    return parser
