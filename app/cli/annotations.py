"""The files of annotation tools that `tessera predict` writes."""

import os
from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from app.files import naming, replacing
from app.service import Judged
from app.service.annotations import FORMATS, MOST_FILE_POINTS, AnnotationFormat, annotations


def write_annotations(
    judged: Judged,
    bands: Iterable[NDArray[np.float32]],
    picture: Path,
    files: Mapping[AnnotationFormat, Path],
) -> None:
    """Writes the regions of a picture in each of the formats, each file complete or not at all, one region at a time.

    bands: the bands of rows of the picture's map
    picture: its file, to which the files refer
    Raises TooManyPoints and OSError.
    """
    if not files:
        return
    with ExitStack() as stack:
        written = {}
        for format, path in files.items():
            temporary = stack.enter_context(replacing(path))
            stack.enter_context(naming(path))
            file = written[format] = stack.enter_context(temporary.open("w", encoding="utf-8"))
            file.write(FORMATS[format].head(judged, _reference(picture, path.parent)))
        for number, annotation in enumerate(annotations(judged, bands, MOST_FILE_POINTS), start=1):
            for format, file in written.items():
                file.write("," * (number > 1))
                file.write(FORMATS[format].items(judged, annotation, number, MOST_FILE_POINTS))
        for format, file in written.items():
            file.write(FORMATS[format].tail)


def _reference(picture: Path, folder: Path) -> str:
    """The path of the picture relative to a folder. Bytes that are not UTF-8 are written as escapes."""
    try:
        path = os.path.relpath(picture.resolve(), folder.resolve())
    except ValueError:  # another drive of Windows
        path = str(picture.resolve())
    return os.fsencode(path).decode("utf-8", "backslashreplace").replace(os.sep, "/")
