"""Shares the large files of a version with another version."""

import os
import shutil
from pathlib import Path

from app.artifacts.manifest import GOLDEN, WEIGHTS


def share_files(source: Path, directory: Path) -> None:
    """Links the weights and the golden sample of `source` into a directory, or copies them where links do not exist."""
    for file in (WEIGHTS, GOLDEN):
        try:
            os.link((source / file).resolve(), directory / file)
        except OSError:  # no links on this file system, or between these two
            shutil.copyfile(source / file, directory / file)
