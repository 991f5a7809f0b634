"""A candidate: a model that has learned, before it is written."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from app.artifacts import (
    Artifact,
    BaselineRecord,
    DigestRecord,
    Entry,
    ModelRecord,
    ModelRepository,
    QualityRecord,
    SeenRecord,
    TaughtRecord,
    write_artifact,
)
from app.pipeline import TiledModel
from app.teaching.learning.evidence import JoinedEvidence, LearnedPicture
from app.teaching.learning.thresholds import Thresholds
from app.tiling import Size
from app.training.plan import MAX_SIZES


@dataclass(frozen=True, slots=True)
class Learned:
    """A candidate version in memory. `write` makes it a version; nothing is written before.

    base: the trained version from which it was taught
    model: the candidate with its new thresholds, which predicts like a model that was loaded
    thresholds: the new thresholds, and what they do to the reviewed pictures
    taught: the record of the lessons
    notes: sentences about what was learned and what was left out
    seconds: the time that learning took, without reading the base
    pictures: of which patches were learned, in the order in which they were added
    evidence: the normal patches
    camera, normal_level: as in the manifest
    """

    base: Artifact
    model: TiledModel
    thresholds: Thresholds
    taught: TaughtRecord
    notes: tuple[str, ...]
    seconds: float
    pictures: tuple[LearnedPicture, ...]
    evidence: JoinedEvidence
    camera: BaselineRecord | None
    normal_level: float | None

    def write(self, repository: ModelRepository) -> Entry:
        """Writes the candidate as the next version of its model, and returns it. A kill leaves no version.

        Reads the pictures of new rows of a memory bank again, for small copies. Raises InvalidName or InvalidServing.
        """
        manifest = self.base.manifest
        provenance, quality = manifest.provenance, manifest.quality
        record = ModelRecord(
            protocol="cross-conformal",
            calibration_pictures=self.thresholds.pictures + self.taught.defects,
            anomalous_pictures=self.taught.defects,
            false_positive_rate=self.thresholds.rate,
            dataset=provenance.dataset,
            pictures=provenance.pictures + len(self.pictures),
            picture_sizes=_sizes(provenance.picture_sizes, [each.grid.size for each in self.pictures]),
            backbone_weights=provenance.backbone_weights,
            seed=provenance.seed,
            training=manifest.training,
            quality=QualityRecord(
                false_alarms=self.thresholds.alarms,
                candidates=quality.candidates if quality else (),
                alike=quality.alike if quality else None,
                unlike=quality.unlike if quality else (),
            ),
            seen=self._seen(),
            thresholds=self.thresholds.record,
            camera=self.camera,
            normal_level=self.normal_level,
            evidence=self.evidence.with_copies(),
            taught=self.taught,
        )
        return write_artifact(self.model, repository, self.base.name, record)

    def _seen(self) -> SeenRecord | None:
        """The digests of the base's pictures and of the reviewed ones, so that an evaluation recognises them."""
        seen = self.base.manifest.seen
        if seen is None:
            return None
        fitted = seen.fitted and _joined(seen.fitted, (each.digest for each in self.pictures))
        return SeenRecord(fitted=fitted, calibrated=_joined(seen.calibrated, self.taught.reviews))


def _joined(known: DigestRecord, digests: Iterable[str]) -> DigestRecord:
    new = set(digests) - set(known.digests)
    found = DigestRecord.of({*known.digests, *new})
    return found.model_copy(update={"pictures": known.pictures + len(new)})


def _sizes(known: Sequence[Size], new: Sequence[Size]) -> tuple[Size, ...]:
    """The sizes of all pictures; empty if those of the base are not known, or if there are too many."""
    found = sorted({*known, *new}) if known else []
    return tuple(found) if len(found) <= MAX_SIZES else ()
