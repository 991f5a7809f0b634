"""Predicts one picture of a job, and draws its pyramids. A restart goes on from what is in the picture's folder."""

from collections.abc import Callable
from contextlib import ExitStack
from time import monotonic

from app.artifacts import Artifact
from app.data import PYRAMID_MARK
from app.files import replacing, sweep
from app.jobs.tiles import Layer
from app.pipeline import Question, RowSource, Runner
from app.progress import Progress
from app.service import Judged, Timings
from app.service.large import Found, Pyramids, draw, predict_large
from app.store.folders import PictureFiles

Write = Callable[[Judged, Timings], bytes]


def work(
    artifact: Artifact,
    source: RowSource,
    question: Question,
    files: PictureFiles,
    write: Write,
    report: Progress,
    found: Found,
    runner: Runner,
) -> None:
    """Writes the results of a picture, each complete or not at all; the prediction, which `write` makes, is the last.

    Raises what `report` raises, the errors of the source and of `predict_large`, and OSError.
    """
    started = monotonic()
    sweep(files.folder)
    large = predict_large(artifact, source, question, files.work, report, found, runner)
    predicted = monotonic()
    with ExitStack() as drawn:
        pyramids = Pyramids(*(drawn.enter_context(replacing(files.pyramid(layer))) for layer in Layer))
        draw(large, source, pyramids, PYRAMID_MARK, report)
    ended = monotonic()
    timings = Timings(0.0, 0.0, predicted - started, ended - predicted, ended - started)
    with replacing(files.result) as file:
        file.write_bytes(write(large.judged, timings))
