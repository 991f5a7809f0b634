"""What a user must know to read a prediction: why it may be unreliable, or why its parts seem to disagree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from app.artifacts import Artifact
from app.pipeline import Judgement, Label
from app.tiling import Size


class NoteCode(StrEnum):
    """What to know of a prediction. It may be less reliable than others: the model was trained on pictures of other
    sizes (unseen_size), or the picture is smaller than a tile (smaller_than_tile). Or score and map have thresholds of
    their own, and differ: the picture is anomalous without a region (anomalous_without_region), or normal with regions
    (normal_with_regions). Or the time limit passed before all of the picture was looked at (partial). Or evidence was
    asked for, and the model's version has no normal patches (no_evidence). New values may be added.
    """

    unseen_size = "unseen_size"
    smaller_than_tile = "smaller_than_tile"
    anomalous_without_region = "anomalous_without_region"
    normal_with_regions = "normal_with_regions"
    partial = "partial"
    no_evidence = "no_evidence"


@dataclass(frozen=True, slots=True)
class Note:
    """A note as a code, and as a sentence."""

    code: NoteCode
    message: str


NAMED = 3  # sizes that a note names


def notes(artifact: Artifact, size: Size, judgement: Judgement, *, evidence: bool = False) -> tuple[Note, ...]:
    """The notes on a prediction for a picture of `(height, width)` pixels.

    Models that record no sizes have no `unseen_size`, nor have pictures whose edges lie between those of the training.
    `evidence`: whether evidence for the regions was asked for.
    """
    asked = _on_evidence(artifact) if evidence else ()
    return *_on_size(artifact, size), *_on_verdict(judgement), *_on_coverage(judgement), *asked


def _on_size(artifact: Artifact, size: Size) -> Iterator[Note]:
    seen = artifact.manifest.provenance.picture_sizes
    if seen and not _within(size, seen):
        others = f", or of {len(seen) - NAMED} other sizes" if len(seen) > NAMED else ""
        trained = f"{_in_words(*seen[:NAMED])} pixels{others}"
        message = f"the model was trained on pictures of {trained}, and this one has {_in_words(size)}"
        if artifact.model.tiling.thumbnail:
            message += "; its thumbnail may show it at another scale, which can look anomalous"
        yield Note(NoteCode.unseen_size, message)
    tiling = artifact.model.tiling
    tiled = artifact.model.preprocessing.target_size(*size)
    if tiling.enable and any(edge < tile for edge, tile in zip(tiled, tiling.tile_size, strict=True)):
        message = f"a picture of {_in_words(tiled)} pixels is smaller than a tile of {_in_words(tiling.tile_size)}"
        yield Note(NoteCode.smaller_than_tile, message)


def _within(size: Size, seen: Sequence[Size]) -> bool:
    """Whether each edge lies between the shortest and the longest of the training."""
    return all(min(edges) <= edge <= max(edges) for edge, edges in zip(size, zip(*seen, strict=True), strict=True))


def _on_verdict(judgement: Judgement) -> Iterator[Note]:
    least = judgement.criteria.min_region_area
    if judgement.label is Label.anomalous and not judgement.regions:
        message = "the picture's score is over the threshold, but no value of its map is"
        if least > 1:
            message = f"the picture's score is over the threshold, but its map has no region of {least} pixels over it"
        yield Note(NoteCode.anomalous_without_region, message)
    if judgement.label is not Label.anomalous and judgement.regions:
        message = "values of the map are over the threshold, but the picture's score is not"
        yield Note(NoteCode.normal_with_regions, message)


def _on_coverage(judgement: Judgement) -> Iterator[Note]:
    coverage = judgement.coverage
    if coverage is None or coverage.complete:
        return
    message = f"only {coverage.share:.1%} of the picture was looked at within the time limit"
    if judgement.label is Label.undecided:
        message += ", so that the picture is not known to be normal"
    yield Note(NoteCode.partial, message)


def _on_evidence(artifact: Artifact) -> Iterator[Note]:
    missing = [] if artifact.evidence else ["the nearest normal patches of a region"]
    if artifact.manifest.calibration.normal_level is None:
        missing.append("how far it exceeds normal pictures")
    if missing:
        message = (
            f"version {artifact.version} of {artifact.name!r} does not record {' and '.join(missing)}; models that "
            "Tessera trains do, unless they are trained on a single picture"
        )
        yield Note(NoteCode.no_evidence, message)


def _in_words(*sizes: Size) -> str:
    return " or ".join(f"{width} x {height}" for height, width in sizes)
