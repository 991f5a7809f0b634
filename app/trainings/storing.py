"""Stores the pictures of a request for the process of a training."""

import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

LONGEST_NAME = 100
"""The most bytes of the name under which a picture is stored."""

Sent = tuple[str, BinaryIO]
"""The name and the file of a picture that a client has sent."""


def store(folder: Path, pictures: Sequence[Sent]) -> None:
    """Writes pictures below `folder`: each keeps its name, in a folder with its number. Raises OSError."""
    for number, (name, file) in enumerate(pictures):
        own = folder / f"{number:06}"
        own.mkdir(parents=True)
        file.seek(0)
        with (own / stored_name(name)).open("wb") as out:
            shutil.copyfileobj(file, out)


def stored_name(name: str) -> str:
    """The name of a picture's file: that of the upload without folders and control characters, and not too long."""
    last = "".join(letter for letter in re.split(r"[/\\]", name)[-1] if letter.isprintable())
    kept = os.fsencode(last.encode("utf-8", "replace").decode())[-LONGEST_NAME:].decode("utf-8", "ignore")
    return "picture" if kept in ("", ".", "..") else kept
