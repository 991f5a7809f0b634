"""Teaches networks that learn by gradient descent, by a short training from where they are.

An artifact keeps no training pictures, and a network that learns only new pictures forgets the others. Four things
bound that: few steps, at a tenth of the training's rate; statistics of batch norms that stay; the network's own former
predictions as targets wherever a picture does not count (Li & Hoiem 2016, arXiv:1606.09282), defects above all; and the
same for the small copies of training pictures that the artifact keeps as evidence, one with each lesson.
"""

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from copy import deepcopy
from itertools import cycle
from math import isfinite
from typing import Self

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from app.decoding import decode
from app.detectors import Features, GradientDetector
from app.errors import NotFinite
from app.pipeline import Grid, NormalPatches, Outcome, Prepared, TiledModel, predict
from app.progress import Progress
from app.shown import printable
from app.teaching.learning.areas import counted_cells
from app.teaching.learning.choice import without_second_stage
from app.teaching.learning.evidence import LearnedPicture
from app.teaching.learning.lessons import Lesson
from app.teaching.learning.method import TeachingMethod
from app.teaching.learning.reading import LessonReader
from app.teaching.learning.state import LearnedState
from app.tiling import TilePlan, untile_features
from app.training.backpropagation import Backpropagation
from app.training.fused import with_fused_network

EPOCHS = 3
MOST_STEPS = 120
SLOWER = 0.1
"""The share of the training's learning rate."""
HELD_OUT = 5
"""One in so many harmless pictures is not learned, and sets the thresholds."""
MOST_COPY_PIXELS = 2**24


class FineTuning(TeachingMethod):
    """Fine-tunes the learners; the backbone stays frozen, as in every training."""

    def __init__(
        self, model: TiledModel, evidence: NormalPatches | None, reader: LessonReader, progress: Progress
    ) -> None:
        self._model, self._evidence, self._reader, self._progress = model, evidence, reader, progress

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Holds nothing."""

    def learn(self, lessons: Sequence[Lesson]) -> LearnedState:
        """See TeachingMethod."""
        detector = deepcopy(self._model.detector)
        assert isinstance(detector, GradientDetector)
        held_out = _held_out(lessons)
        left_out = {each.picture.digest for each in held_out}
        chosen = [each for each in lessons if each.learned and each.picture.digest not in left_out]
        tuning = _Tuning(self._model, self._model.with_detector(detector))
        optimizer = _slow_optimizer(detector)
        copies = cycle([each for each in (self._evidence.reduced if self._evidence else ()) if each] or [None])
        pictures: dict[str, tuple[LearnedPicture, int]] = {}
        steps = min(EPOCHS * len(chosen), MOST_STEPS)
        lessons_in_turn = (each for _ in range(EPOCHS) for each in chosen)
        done = 0
        for lesson, image in self._reader.read(lessons_in_turn):
            if done == steps:
                break
            grid = Grid.of(self._model, (image.shape[-2], image.shape[-1]))
            counted = counted_cells(lesson.picture, grid)
            parts = [(image, counted)]
            if (copy := next(copies)) is not None:
                small = decode(copy, max_pixels=MOST_COPY_PIXELS)
                cells = Grid.of(self._model, (small.shape[-2], small.shape[-1])).cells
                parts.append((small, torch.zeros(cells, dtype=torch.bool)))
            self._step(tuning, optimizer, parts, lesson)
            picture = lesson.picture
            count = grid.cells[0] * grid.cells[1] if counted is None else int(counted.sum())
            pictures[picture.digest] = LearnedPicture(picture.name, picture.digest, grid, picture.read), count
            done += 1
            self._progress("training", done, steps)
        model = with_fused_network(self._model.with_detector(detector))
        return LearnedState(
            model,
            tuple(picture for picture, _ in pictures.values()),
            sum(count for _, count in pictures.values()),
            self._outcomes(model, [*held_out, *(each for each in lessons if not each.normal or not each.learned)]),
            notes=(
                f"fine-tuned in {done} steps; {len(held_out)} harmless pictures were held out for the thresholds",
                *without_second_stage(lessons, detector.name),
            ),
        )

    def _step(
        self,
        tuning: "_Tuning",
        optimizer: Optimizer,
        parts: Sequence[tuple[Tensor, Tensor | None]],
        lesson: Lesson,
    ) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss = sum(tuning.learn(self._model.prepare(image), counted) for image, counted in parts)
        if not isfinite(loss):
            raise NotFinite(f"{printable(lesson.picture.name)}: the loss became {loss}; leave this picture out")
        optimizer.step()

    def _outcomes(self, model: TiledModel, lessons: Sequence[Lesson]) -> Iterator[tuple[Lesson, Outcome]]:
        for number, (lesson, image) in enumerate(self._reader.read(lessons), start=1):
            yield lesson, predict(model, image)
            self._progress("thresholds", number, len(lessons))


class _Tuning(Backpropagation):
    """Gradients of cells that count, towards the frozen network, and of others, towards the former predictions."""

    def __init__(self, before: TiledModel, model: TiledModel) -> None:
        super().__init__(model, model.batch_tiles, nullcontext)
        self._before = Backpropagation(before, model.batch_tiles, nullcontext)
        self._counted: Tensor | None = None
        self._former: Features = ()

    def learn(self, picture: Prepared, counted: Tensor | None) -> float:
        """Adds the gradients of a picture, of which the cells `counted` of the first feature count."""
        self._counted, self._former = counted, ()
        if counted is not None:
            with torch.no_grad():
                former = self._before.features(picture)[1]
                self._former = tuple(untile_features(each.float(), picture.plan) for each in former)
        return self.step([picture], lambda loss: loss.backward())  # type: ignore[no-untyped-call]  # torch's

    def _loss(self, plan: TilePlan, targets: Features, predictions: Features) -> Tensor:
        """The mean distance of the cells that count, and that of the others, summed over layers."""
        found = predictions[0].new_zeros(())
        for layer, (target, guess) in enumerate(zip(targets, predictions, strict=True)):
            guess = untile_features(guess.float(), plan)
            distances = self._detector.cell_distances(untile_features(target.float(), plan), guess)[0]  # [h,w]
            if self._counted is None:
                found = found + distances.mean()
                continue
            own = _of_layer(self._counted.to(distances.device), distances.shape)
            kept = self._detector.cell_distances(self._former[layer], guess)[0]
            for part in (distances[own], kept[~own]):
                if len(part):
                    found = found + part.mean()
        return found


def _of_layer(counted: Tensor, size: torch.Size) -> Tensor:
    """The cells of a deeper layer, [h,w] = size, that show only cells that count."""
    missing = F.adaptive_max_pool2d((~counted)[None].float(), (size[0], size[1]))[0]
    return missing == 0


def _held_out(lessons: Sequence[Lesson]) -> list[Lesson]:
    """One in HELD_OUT of the harmless pictures that would be learned."""
    return [each for each in lessons if each.learned and each.normal][HELD_OUT - 1 :: HELD_OUT]


def _slow_optimizer(detector: GradientDetector) -> Optimizer:
    """The training's optimizer at a fraction of its rate; weights are not drawn to 0."""
    optimizer = detector.optimizer()
    for group in optimizer.param_groups:
        group["lr"] *= SLOWER
        group["weight_decay"] = 0.0
    return optimizer
