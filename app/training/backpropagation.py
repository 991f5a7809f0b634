"""The gradient of a training step, for pictures with any number of tiles, in bounded memory."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import torch
from torch import Tensor, nn

from app.detectors import Features, GradientDetector
from app.pipeline import Prepared, TiledModel
from app.tiling import TilePlan, untile_features

Backward = Callable[[Tensor], None]
"""Runs the backward pass of a scalar, scaled if the precision needs it."""


class Backpropagation:
    """Sums up the gradients of a detector's learners, at most `batch_tiles` tiles at a time.

    The loss of a step is a sum or mean over its pictures, so whole pictures run together as long as their tiles fit.
    The loss of one picture is computed from the stitched features, and cannot be divided among tiles. A picture with
    more than `batch_tiles` tiles is run twice: first without a graph, to get the gradient of the loss by the features;
    then part by part, to propagate this gradient to the weights (as in Gao et al. 2021, arXiv:2101.06983). Batch norm
    uses the statistics of the tiles that run together.
    """

    def __init__(
        self, model: TiledModel, batch_tiles: int, autocast: Callable[[], AbstractContextManager[object]]
    ) -> None:
        assert isinstance(model.detector, GradientDetector)
        self._model, self._detector = model, model.detector
        self._batch_tiles, self._autocast = batch_tiles, autocast

    def step(self, pictures: Sequence[Prepared], backward: Backward) -> float:
        """Adds the gradients of the loss of a step with these pictures, and returns the loss."""
        weight = 1 / len(pictures) if self._detector.reduction == "mean" else 1.0
        return sum(self._group(group, weight, backward) for group in grouped(pictures, self._batch_tiles))

    @torch.no_grad()
    def loss(self, picture: Prepared) -> float:
        """The loss of a picture, without gradients."""
        targets, predictions = self.features(picture)
        return float(self._loss(picture.plan, targets, predictions))

    def _group(self, pictures: Sequence[Prepared], weight: float, backward: Backward) -> float:
        if sum(picture.plan.count for picture in pictures) > self._batch_tiles:
            return self._in_parts(pictures[0], weight, backward)
        tiles = torch.cat([self._model.cut(picture, range(picture.plan.count)) for picture in pictures])
        targets, predictions = self._run(tiles)
        losses, first = [], 0
        for picture in pictures:
            own = slice(first, first + picture.plan.count)
            losses.append(self._loss(picture.plan, _taken(targets, own), _taken(predictions, own)))
            first = own.stop
        loss = torch.stack(losses).sum() * weight
        backward(loss)
        return float(loss.detach())

    def _in_parts(self, picture: Prepared, weight: float, backward: Backward) -> float:
        with torch.no_grad(), untouched_statistics(self._detector.learners):
            targets, predictions = self.features(picture)
        for each in predictions:
            each.requires_grad_()
        loss = self._loss(picture.plan, targets, predictions) * weight
        backward(loss)
        gradients = tuple(each.grad for each in predictions if each.grad is not None)
        for indices in self._parts(picture.plan):
            own = slice(indices.start, indices.stop)
            with self._autocast():
                again = self._detector.predictions(self._model.cut(picture, indices), _taken(targets, own))
            torch.autograd.backward(again, _taken(gradients, own))
        return float(loss.detach())

    def features(self, picture: Prepared) -> tuple[Features, Features]:
        """Targets and predictions of all tiles of a picture, a part of the tiles at a time."""
        parts = [self._run(self._model.cut(picture, indices)) for indices in self._parts(picture.plan)]
        targets, predictions = (
            tuple(torch.cat(each) for each in zip(*(part[side] for part in parts), strict=True)) for side in (0, 1)
        )
        return targets, predictions

    def _run(self, tiles: Tensor) -> tuple[Features, Features]:
        with self._autocast():
            targets = self._detector.targets(tiles)
            return targets, self._detector.predictions(tiles, targets)

    def _parts(self, plan: TilePlan) -> list[range]:
        step = self._batch_tiles
        return [range(first, min(first + step, plan.count)) for first in range(0, plan.count, step)]

    def _loss(self, plan: TilePlan, targets: Features, predictions: Features) -> Tensor:
        """The loss of a picture, in float32, from the features of its tiles."""
        stitched = (tuple(untile_features(each.float(), plan)[0] for each in side) for side in (targets, predictions))
        return self._detector.loss(*stitched)


def _taken(features: Features, own: slice) -> Features:
    return tuple(each[own] for each in features)


def grouped(pictures: Iterable[Prepared], batch_tiles: int) -> Iterator[list[Prepared]]:
    """Groups of consecutive pictures that have at most `batch_tiles` tiles in all, of one size.

    A picture with more tiles is a group of its own.
    """
    group: list[Prepared] = []
    for picture in pictures:
        full = sum(each.plan.count for each in group) + picture.plan.count > batch_tiles
        if group and (full or group[0].plan.input_size != picture.plan.input_size):
            yield group
            group = []
        group.append(picture)
    if group:
        yield group


@contextmanager
def untouched_statistics(networks: Iterable[nn.Module]) -> Iterator[None]:
    """Lets batch norm use the statistics of its batch without updating its running statistics."""
    norms = [module for network in networks for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.track_running_stats = False
    try:
        yield
    finally:
        for norm in norms:
            norm.track_running_stats = True
