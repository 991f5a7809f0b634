"""The options that most measurements share."""

import argparse
from pathlib import Path


def with_root(description: str | None) -> argparse.ArgumentParser:
    """A parser with `--root`, the folder of the data set; more options can be added."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, required=True, help="the folder of KolektorSDD, in MVTec AD's layout")
    return parser


def with_data(description: str | None) -> argparse.ArgumentParser:
    """A parser with `--root` and `--weights`; more options can be added."""
    parser = with_root(description)
    parser.add_argument("--weights", type=Path, required=True, help="a file with the weights of a ResNet-18")
    return parser
