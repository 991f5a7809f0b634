"""Computes metrics from measured pictures."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.evaluation.masks_taken import MasksTaken
from app.evaluation.pixel_grid import PixelGrid
from app.evaluation.pixel_store import PixelStore, StoredPixels
from app.evaluation.result import Evaluation, KindResult, Level, PictureResult, Unreadable
from app.progress import Progress
from app.scoring import Calibration, Confusion, Ranking, auroc, rank, steps_of, totals_of


@dataclass(frozen=True, slots=True)
class Measured:
    """A picture's result, and its stored pixels; None: it is not known which pixels are anomalous."""

    result: PictureResult
    pixels: StoredPixels | None


def summarise(
    measured: Sequence[Measured],
    unreadable: Sequence[Unreadable],
    calibration: Calibration | None,
    store: PixelStore,
    progress: Progress,
    *,
    intervals: bool = False,
) -> Evaluation:
    """The evaluation of measured pictures, at least one; with the grid that intervals need if `intervals` is set."""
    results = tuple(each.result for each in measured)
    kinds = sorted({result.kind for result in results if result.anomalous})
    masked = any(each.pixels is not None and each.result.anomalous for each in measured)
    pixel = _pixel_level(measured, calibration, store) if masked else None
    progress("metrics", 1, len(kinds) + 1)
    kind_results = []
    for number, kind in enumerate(kinds, start=2):
        kind_results.append(_kind(kind, measured, pixel if len(kinds) == 1 else None, store))
        progress("metrics", number, len(kinds) + 1)
    regions = sum(each.pixels.regions for each in measured if each.pixels is not None)
    notes = tuple(_notes(measured))
    grid = _grid(measured, calibration, store) if intervals and pixel else None
    image = _image_level(results)
    return Evaluation(results, tuple(unreadable), image, pixel, regions, tuple(kind_results), notes, grid)


def _image_level(results: Sequence[PictureResult]) -> Level:
    scores, labels = [result.raw_score for result in results], [result.anomalous for result in results]
    totals = totals_of(labels)
    ranking = rank([steps_of(scores, labels)], totals) if totals.normal and totals.anomalous else None
    return Level(totals.normal, totals.anomalous, ranking, _picture_confusion(results))


def _picture_confusion(results: Sequence[PictureResult]) -> Confusion | None:
    if results[0].exceeds is None:
        return None
    pairs = [(result.anomalous, result.exceeds) for result in results]
    return Confusion(*(pairs.count(pair) for pair in ((True, True), (False, True), (False, False), (True, False))))


def _pixel_level(measured: Sequence[Measured], calibration: Calibration | None, store: PixelStore) -> Level:
    chosen = [each.pixels for each in measured if each.pixels is not None]
    totals = store.totals(chosen)
    confusion = None if calibration is None else store.confusion(chosen, calibration.pixel_threshold)
    return Level(totals.normal, totals.anomalous, _pixel_ranking(chosen, store), confusion)


def _grid(measured: Sequence[Measured], calibration: Calibration | None, store: PixelStore) -> PixelGrid:
    chosen = {number: each.pixels for number, each in enumerate(measured) if each.pixels is not None}
    return store.grid(chosen, None if calibration is None else calibration.pixel_threshold)


def _pixel_ranking(chosen: Sequence[StoredPixels], store: PixelStore) -> Ranking | None:
    totals = store.totals(chosen)
    return rank(store.steps(chosen), totals) if totals.normal and totals.anomalous else None


def _kind(kind: str, measured: Sequence[Measured], whole: Level | None, store: PixelStore) -> KindResult:
    """The metrics of a kind. `whole`: the metrics of all pixels, which hold for the only kind; None: several kinds."""
    chosen = [each for each in measured if each.result.kind == kind or not each.result.anomalous]
    own = [each for each in chosen if each.result.anomalous]
    labels = [each.result.anomalous for each in chosen]
    ranking = whole.ranking if whole else None
    if whole is None and any(each.pixels is not None for each in own):
        ranking = _pixel_ranking([each.pixels for each in chosen if each.pixels is not None], store)
    return KindResult(
        kind,
        len(own),
        None if own[0].result.exceeds is None else sum(bool(each.result.exceeds) for each in own),
        auroc([each.result.raw_score for each in chosen], labels) if not all(labels) else None,
        ranking.auroc if ranking else None,
        ranking.aupro if ranking else {},
    )


def _notes(measured: Sequence[Measured]) -> list[str]:
    anomalous = [each for each in measured if each.result.anomalous]
    notes = []
    if len(anomalous) == len(measured):
        notes.append("There are no normal pictures: metrics that compare anomalous with normal ones are missing.")
    if not anomalous:
        notes.append("There are no anomalous pictures: only the rate of false alarms can be computed.")
    return notes + MasksTaken.of([each.result for each in measured]).notes
