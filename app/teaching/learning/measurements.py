"""What the outcomes of lessons say."""

from dataclasses import dataclass, field

from app.artifacts import Artifact, BaselineRecord
from app.drift import LEAST_PICTURES, WHOLE, Baseline, baseline_of
from app.pipeline import Outcome, TiledModel
from app.reviews import ReviewLabel
from app.scoring import HighLevel
from app.teaching.learning.areas import peak_within
from app.teaching.learning.lessons import Lesson
from app.teaching.learning.thresholds import Measured
from app.training.camera import Levels

OF_MAPS = {"score", "level"}
"""The statistics of maps in a baseline; those of positions have the position after an `@`."""


@dataclass(slots=True)
class Measurements:
    """The outcomes of lessons, each by a model that had not learned it.

    normal, defects: the harmless pictures, and those with confirmed defects
    levels, high: the statistics of the maps of harmless pictures
    """

    normal: list[Measured] = field(default_factory=list)
    defects: list[Measured] = field(default_factory=list)
    levels: Levels = field(default_factory=Levels)
    high: HighLevel = field(default_factory=HighLevel)

    def add(self, model: TiledModel, lesson: Lesson, outcome: Outcome) -> None:
        """Takes a lesson, and its outcome by a model that had not learned it."""
        picture, found = lesson.picture, outcome.anomaly_map
        if lesson.normal:
            self.normal.append(Measured(picture.name, outcome.raw_score, float(found.max())))
            self.levels.add(model, outcome)
            self.high.add(found.numpy())
        elif lesson.defect:
            areas = (each.rings for each in picture.regions if each.label is ReviewLabel.defect)
            peaks = tuple(peak_within(rings, found) for rings in areas)
            self.defects.append(Measured(picture.name, outcome.raw_score, float(found.max()), peaks))

    def camera(self, base: Artifact) -> BaselineRecord | None:
        """The baseline of the base's pictures, with the maps of the harmless pictures instead of those of the base.

        The base's maps are not those of this version. Without enough harmless pictures, there are none.
        """
        if base.manifest.camera is None:
            return None
        known = base.manifest.camera.build()
        streams = {name: each for name, each in known.streams.items() if name.partition("@")[0] not in OF_MAPS}
        maps = self.levels.maps
        if self.levels.grid != known.grid:
            maps = [{name: value for name, value in each.items() if name in WHOLE} for each in maps]
        found = baseline_of(known.grid, maps)
        streams |= dict(found.streams) if found else {}
        return BaselineRecord.of(Baseline(known.grid, streams)) if streams else None

    def normal_level(self, base: Artifact, *, alone: bool) -> float | None:
        """That of the harmless pictures if they are at least as many as the base's, otherwise that of the base.

        alone: the base's does not hold for this version
        """
        known = base.manifest.calibration
        enough = alone or len(self.normal) >= max(known.pictures, LEAST_PICTURES)
        return self.high.value if enough else known.normal_level
