"""What `tessera predict` does with pictures that are too large to be decoded whole."""

from contextlib import ExitStack
from pathlib import Path
from time import monotonic

from torch import Tensor

from app.artifacts import Artifact
from app.cli.annotations import write_annotations
from app.cli.results import Targets
from app.data import MAX_PIXELS, PYRAMID_MARK
from app.decoding import decode
from app.decoding.large import LargePicture, is_available
from app.errors import TooManyPixels
from app.files import replacing, unfinished_directory
from app.pipeline import Question
from app.progress import Progress
from app.service import Judged, Timings
from app.service.large import Pyramids, draw, predict_large

WHOLE_PIXELS = 2**26
"""Larger pictures are predicted in bands, if the extra `large` is installed."""

WHOLE_BYTES = 2**30
"""Pictures in larger files are taken for larger than that, because `decode` needs the whole file in memory."""


def decoded_whole(path: Path) -> Tensor | None:
    """The picture [C,H,W]; None if it should be predicted in bands. Raises the errors of `decode`, and OSError."""
    large = is_available()
    if large and path.stat().st_size > WHOLE_BYTES:
        return None
    try:
        return decode(path.read_bytes(), max_pixels=WHOLE_PIXELS if large else MAX_PIXELS)
    except TooManyPixels as error:
        if large:
            return None
        raise TooManyPixels(f"{error}; or install the extra `large`: pip install 'pyvips[binary]'") from error


def predicted_large(
    artifact: Artifact, path: Path, written: Targets, question: Question, report: Progress
) -> tuple[Judged, Timings]:
    """Predicts the picture, and writes its pyramids and annotations, each complete or not at all.

    Raises the errors of LargePicture, of `predict_large` and of `write_annotations`, and OSError.
    """
    started = monotonic()
    source = LargePicture(path)
    with ExitStack() as files:
        written.body.parent.mkdir(parents=True, exist_ok=True)
        spool = files.enter_context(unfinished_directory(written.body.parent))
        found = predict_large(artifact, source, question, spool, report)
        predicted = monotonic()
        drawn = Pyramids(*(files.enter_context(replacing(file)) for file in written.pyramids.all))
        draw(found, source, drawn, PYRAMID_MARK, report)
        write_annotations(found.judged, found.spool.bands(), path, written.annotations)
    ended = monotonic()
    return found.judged, Timings(0.0, 0.0, predicted - started, ended - predicted, ended - started)
