"""A judgement with what it is about: model, picture, tiles and question."""

from dataclasses import dataclass

from torch import Tensor

from app.artifacts import Artifact
from app.pipeline import USUAL, Judgement, Prediction, Question, Roi
from app.service.notes import Note, notes
from app.tiling import Size, TilePlan


@dataclass(frozen=True, slots=True)
class Judged:
    """A picture of `(height, width)` pixels, its tiles, and the judgement of the picture or of a region of it."""

    artifact: Artifact
    size: Size
    plan: TilePlan
    judgement: Judgement
    question: Question = USUAL

    @property
    def notes(self) -> tuple[Note, ...]:
        """What a user must know to read the judgement."""
        return notes(self.artifact, self.size, self.judgement, evidence=self.question.evidence)


@dataclass(frozen=True, slots=True)
class Predicted:
    """A decoded picture [C,H,W], its tiles, and the prediction for the picture or for a region of it.

    picture_digest: the SHA-256 of the picture's file, or of its numbers; None unless somebody wants it
    """

    artifact: Artifact
    image: Tensor
    plan: TilePlan
    prediction: Prediction
    question: Question = USUAL
    picture_digest: str | None = None

    @property
    def size(self) -> Size:
        """`(height, width)` of the picture."""
        return self.image.shape[1], self.image.shape[2]

    @property
    def region(self) -> Roi:
        """The region that was computed: the region of interest, or the whole picture."""
        return self.question.roi or Roi.whole(self.size)

    @property
    def judged(self) -> Judged:
        """The judgement without the pixels and the map."""
        return Judged(self.artifact, self.size, self.plan, self.prediction, self.question)
