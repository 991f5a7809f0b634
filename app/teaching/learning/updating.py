"""Teaches detectors that are fitted in one pass: an exact or continued update of their state."""

import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Self

import torch

from app.detectors import Detector, Features, OnePassDetector, ThumbnailUpdate, Update
from app.errors import NotFinite
from app.pipeline import Grid, Outcome, Prepared, TiledModel, assembled
from app.progress import Progress
from app.reviews import ReviewedPicture
from app.shown import printable
from app.teaching.learning.areas import counted_cells
from app.teaching.learning.choice import (
    Choice,
    HeldOutLesson,
    choose_second_stage,
    staged_detector,
    with_stage,
    without_second_stage,
)
from app.teaching.learning.evidence import LearnedPicture
from app.teaching.learning.lessons import Lesson
from app.teaching.learning.method import TeachingMethod
from app.teaching.learning.reading import LessonReader
from app.teaching.learning.second_stage import SecondStages
from app.teaching.learning.state import LearnedState
from app.training.backpropagation import grouped
from app.training.feature_store import FeatureStore
from app.training.one_pass import add_features


class _Counted:
    """Adds a picture to an update, of which only some cells count.

    grid: of the whole picture
    patches: the number of cells that were learned so far
    """

    def __init__(self, update: Update, picture: ReviewedPicture, grid: Grid) -> None:
        self._update, self.patches = update, 0
        self._counted = counted_cells(picture, grid)
        small = grid.of_thumbnail
        self._in_thumbnail = None if small is None else counted_cells(picture, small)

    def add(self, features: Features, top: int, left: int = 0) -> None:
        """See Fitter."""
        counted, (height, width) = self._counted, features[0].shape[-2:]
        if counted is not None:
            counted = counted[top : top + height, left : left + width]
        self._update.add(features, top, left, counted)
        self.patches += height * width if counted is None else int(counted.sum())

    def add_thumbnail(self, features: Features) -> None:
        """See ThumbnailFitter."""
        assert isinstance(self._update, ThumbnailUpdate)
        counted, (height, width) = self._in_thumbnail, features[0].shape[-2:]
        self._update.add_thumbnail(features, counted)
        self.patches += height * width if counted is None else int(counted.sum())


class Updating(TeachingMethod):
    """Reads each lesson once, keeps its features, and measures it by a detector without it.

    `second_stage` says whether confirmed defects may make a second stage, see `choice`. The features that have no room
    are computed again. Use it in a `with` block.
    """

    def __init__(self, model: TiledModel, reader: LessonReader, progress: Progress, *, second_stage: bool) -> None:
        self._model, self._reader, self._progress = model, reader, progress
        self._second_stage = second_stage
        self._store = FeatureStore(Path(tempfile.gettempdir()))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.__exit__()

    @torch.inference_mode()
    def learn(self, lessons: Sequence[Lesson]) -> LearnedState:
        """See TeachingMethod."""
        detector = self._model.detector
        assert isinstance(detector, OnePassDetector)
        update = detector.update(max(sum(each.learned for each in lessons), 1))
        pictures, read, patches = [], [], 0
        for number, (lesson, prepared, outputs) in enumerate(self._computed(lessons), start=1):
            grid = Grid.of(self._model, prepared.image_size)
            kept = self._store.keep(prepared, outputs)
            read.append(lesson)
            if lesson.learned:
                picture = lesson.picture
                patches += self._add(update, lesson, prepared, kept, grid)
                pictures.append(LearnedPicture(picture.name, picture.digest, grid, picture.read))
            else:
                for _ in kept:  # only stored
                    pass
            self._progress("pictures", number, len(lessons))
        if pictures:
            update.finish(self._progress)
        taught = update.detector if pictures else detector
        model = self._model.with_detector(taught)
        held_out = partial(self._held_out, update, taught, read, len(pictures))
        choice = Choice()
        if self._second_stage and staged_detector(detector) is not None:
            choice = choose_second_stage(read, partial(held_out, "second stage"))
        elif self._second_stage:
            choice = Choice(notes=without_second_stage(read, detector.name))
        return LearnedState(
            with_stage(model, choice.stages.whole if choice.stages else None),
            tuple(pictures),
            patches,
            self._outcomes(held_out("thresholds"), choice.stages),
            update.sources() if pictures else None,
            choice.notes,
            choice.record,
        )

    def _computed(self, lessons: Sequence[Lesson]) -> Iterator[tuple[Lesson, Prepared, Iterable[Features]]]:
        """Yields the lessons that can be used, with their features; tiles of small pictures run together."""
        waiting: deque[Lesson] = deque()

        def prepared() -> Iterator[Prepared]:
            for lesson, image in self._reader.read(lessons):
                waiting.append(lesson)
                yield self._model.prepare(image)

        for group in grouped(prepared(), self._model.batch_tiles):
            for each, outputs in zip(group, self._together(group), strict=True):
                yield waiting.popleft(), each, outputs

    def _together(self, group: Sequence[Prepared]) -> list[Iterable[Features]]:
        """The features of each picture of a group, whose tiles fit into one batch if there are several pictures."""
        if len(group) == 1:
            return [self._model.outputs(group[0])]
        counts = [each.plan.count for each in group]
        tiles = torch.cat([self._model.cut(each, range(each.plan.count)) for each in group])
        layers = [torch.split(feature, counts) for feature in self._model.run(tiles)]
        return [[features] for features in zip(*layers, strict=True)]

    def _add(self, update: Update, lesson: Lesson, prepared: Prepared, outputs: Iterable[Features], grid: Grid) -> int:
        """Adds a lesson that is learned, and returns the number of its patches."""
        taker = _Counted(update, lesson.picture, grid)
        try:
            add_features(taker, prepared.plan, self._model.detector.feature_strides, outputs)
        except NotFinite as error:
            raise NotFinite(f"{printable(lesson.picture.name)}: {error}") from error
        return taker.patches

    def _outcomes(
        self, held_out: Iterator[HeldOutLesson], stages: SecondStages | None
    ) -> Iterator[tuple[Lesson, Outcome]]:
        """The lessons with their outcomes, each by a detector and a second stage that have not learned it."""
        for each in held_out:
            model = with_stage(each.model, stages.without(each.number) if stages else None)
            yield each.lesson, assembled(model, each.outputs, each.prepared)

    def _held_out(
        self, update: Update, taught: Detector, lessons: Sequence[Lesson], learned: int, stage: str
    ) -> Iterator[HeldOutLesson]:
        """The lessons, each with a detector that has not learned it; defects with the one that is served."""
        folds = iter(update.folds(learned)) if learned else iter(())
        fold, without = range(0), taught
        for number, prepared, outputs in self._features(lessons):
            lesson = lessons[number]
            while lesson.learned and number not in fold:
                fold = next(folds)
                without = update.without(fold)
            used = without if lesson.learned and lesson.normal else taught
            yield HeldOutLesson(number, lesson, self._model.with_detector(used), prepared, outputs)
            self._progress(stage, number + 1, len(lessons))

    def _features(self, lessons: Sequence[Lesson]) -> Iterator[tuple[int, Prepared, Iterator[Features]]]:
        """The number and the features of each lesson: the stored ones first, then those of the network, run again."""
        number = -1
        for number, (prepared, outputs) in enumerate(self._store.pictures(self._model.device)):
            yield number, prepared, outputs
        for later in range(number + 1, len(lessons)):
            for _, image in self._reader.read([lessons[later]]):
                prepared = self._model.prepare(image)
                yield later, prepared, self._model.outputs(prepared)
