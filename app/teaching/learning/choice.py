"""Whether a candidate gets a second stage, measured on pictures that the stages were not fitted to."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from app.artifacts import SecondStageRecord
from app.detectors import Detector, Features, PatchDetector, SecondStage, WithThumbnail
from app.detectors.second_stage import MOST_FACTOR
from app.pipeline import Grid, Prepared, TiledModel, assembled
from app.pipeline.assembly import Assembly, completed
from app.reviews import ReviewLabel
from app.teaching.learning.areas import defect_cells
from app.teaching.learning.gain import gain_of
from app.teaching.learning.lessons import Lesson
from app.teaching.learning.picks import Picks, picks_of
from app.teaching.learning.second_stage import SecondStages, fit_second_stages

FEWEST_DEFECTS = 10
"""The smallest number of pictures with confirmed regions or areas."""
FEWEST_HARMLESS = 50
"""The smallest number of harmless pictures: they alone set the thresholds of a version with a second stage."""


@dataclass(frozen=True, slots=True)
class HeldOutLesson:
    """A lesson with its features, and a model that has not learned it, without a second stage.

    number: its place among the lessons
    """

    number: int
    lesson: Lesson
    model: TiledModel
    prepared: Prepared
    outputs: Iterable[Features]


@dataclass(frozen=True, slots=True)
class Choice:
    """The second stages that were chosen.

    stages: None: the candidate has none
    record: what the manifest says of them; None: there are none
    notes: sentences about the choice; empty: no defect was confirmed
    """

    stages: SecondStages | None = None
    record: SecondStageRecord | None = None
    notes: tuple[str, ...] = ()


def staged_detector(detector: Detector) -> PatchDetector | None:
    """The detector, or that of its tiles, whose patches a second stage would see; None: it can have none."""
    tiles = detector.tiles if isinstance(detector, WithThumbnail) else detector
    return tiles if isinstance(tiles, PatchDetector) else None


def with_stage(model: TiledModel, stage: SecondStage | None) -> TiledModel:
    """The model with this second stage, or as it is."""
    if stage is None:
        return model
    assert isinstance(model.detector, PatchDetector | WithThumbnail)
    return model.with_detector(model.detector.with_second_stage(stage.to(model.device)))


def choose_second_stage(lessons: Sequence[Lesson], held_out: Callable[[], Iterator[HeldOutLesson]]) -> Choice:
    """Second stages for these lessons if they tell the defects apart better, by more than the standard error.

    held_out: the lessons with their features, which are read twice
    """
    marked = sum(_is_marked(each) for each in lessons)
    harmless = sum(each.normal for each in lessons)
    if not marked:
        return Choice()
    if marked < FEWEST_DEFECTS or harmless < FEWEST_HARMLESS:
        return Choice(
            notes=(
                f"no second stage: it needs {FEWEST_DEFECTS} pictures with confirmed regions or areas and "
                f"{FEWEST_HARMLESS} harmless pictures, and there are {marked} and {harmless}",
            )
        )
    picks, first = {}, {}
    for each in held_out():
        picks[each.number], first[each.number] = _first_stage(each, harmless if each.lesson.normal else marked)
    stages = fit_second_stages(picks)
    scores: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for each in held_out():
        second = assembled(with_stage(each.model, stages.without(each.number)), each.outputs, each.prepared).raw_score
        if each.lesson.normal or each.lesson.defect:
            scores[each.lesson.normal].append((first[each.number], second))
    gain = gain_of(scores[True], scores[False])
    measured = (
        f"the recall of held-out defects at up to 10 % false alarms changes by {gain.value:+.1%} (standard error "
        f"{gain.error:.1%}; {len(scores[False])} defective and {len(scores[True])} harmless pictures)"
    )
    if not gain.is_clear:
        return Choice(notes=(f"no second stage: {measured}",))
    record = SecondStageRecord(
        defects=marked, harmless=harmless, factor=MOST_FACTOR, gain=gain.value, gain_error=gain.error
    )
    return Choice(stages, record, (f"with a second stage: {measured}",))


def without_second_stage(lessons: Sequence[Lesson], detector: str) -> tuple[str, ...]:
    """A sentence about a kind of detector that can have no second stage; none if no defect was confirmed."""
    if not any(_is_marked(each) for each in lessons):
        return ()
    return (f"no second stage: {detector} can have none; subspace, patchcore and fusion can",)


def _is_marked(lesson: Lesson) -> bool:
    return lesson.defect and any(each.label is ReviewLabel.defect for each in lesson.picture.regions)


def _first_stage(each: HeldOutLesson, pictures: int) -> tuple[Picks, float]:
    """The patches of a lesson, of so many of its kind, and its score without a second stage."""
    detector, picture = staged_detector(each.model.detector), each.lesson.picture
    assert detector is not None  # nobody chooses a second stage otherwise
    assembly = Assembly(each.model, each.prepared)

    def measured() -> Iterator[Features]:
        for features in each.outputs:
            for _ in assembly.add(features):
                pass
            yield features

    inside = None if each.lesson.normal else defect_cells(picture, Grid.of(each.model, each.prepared.image_size))
    picks = picks_of(detector, each.prepared, measured(), inside, pictures, seed=each.number)
    return picks, completed(assembly.finish()).raw_score
