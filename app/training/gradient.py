"""Training by gradient descent: epochs of steps, validation, early stopping, and checkpoints."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor

from app.detectors import GradientDetector
from app.errors import InvalidTraining
from app.pipeline import TiledModel
from app.progress import Progress, silent
from app.training.backpropagation import Backpropagation
from app.training.checkpoint import Checkpoint
from app.training.early_stopping import EarlyStopping
from app.training.history import History
from app.training.precision import Precision, autocast

Load = Callable[[Sequence[int]], Iterator[Tensor]]
"""Yields the training pictures [C,H,W] with these numbers, in this order."""
Validate = Callable[[Backpropagation], Mapping[str, float]]
"""Measures the detector, which is in evaluation mode, after an epoch. Returns values by name."""


@dataclass(frozen=True, slots=True)
class Schedule:
    """The steps of a training, and when it is validated.

    max_epochs: the largest number of epochs
    batch_pictures: the number of pictures in a step
    batch_tiles: the largest number of tiles for which gradients are computed at once
    precision: the precision of gradients, other than `auto`
    seed: the seed of the order of the pictures
    validate_every: the number of epochs between two validations
    early_stopping: ends the training before `max_epochs`; None: never
    """

    max_epochs: int
    batch_pictures: int
    batch_tiles: int
    precision: Precision
    seed: int
    validate_every: int = 1
    early_stopping: EarlyStopping | None = None


def fit_by_gradient(
    model: TiledModel,
    load: Load,
    count: int,
    schedule: Schedule,
    validate: Validate,
    checkpoint: Checkpoint,
    progress: Progress = silent,
) -> History:
    """Fits the learners of the model's detector to `count` pictures, and returns the history.

    Continues from the checkpoint if that belongs to the same training; the result is the same as without interruption.
    With early stopping, the networks are those of the best epoch. Raises InvalidTraining if the loss becomes NaN or
    infinite, or if the monitored value cannot be measured.
    """
    training = _Training(model, count, schedule, validate)
    if training.restore(checkpoint.load()):
        training.report(progress, "continues from its checkpoint, ")
    model.detector.train()
    try:
        with torch.backends.cudnn.flags(enabled=True, deterministic=True):
            while not training.finished:
                training.epoch(load, checkpoint, progress)
    finally:
        model.detector.eval()
    checkpoint.save(training.state())  # calibration may fail; the training is kept
    training.take_best()
    return training.history


def epoch_order(count: int, seed: int, epoch: int) -> list[int]:
    """A random order of `count` pictures, which depends only on the seed and the epoch; epochs count from 0."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(count, generator=generator).tolist()


class _Training:
    """The networks, optimizer and history of a running training."""

    def __init__(self, model: TiledModel, count: int, schedule: Schedule, validate: Validate) -> None:
        assert isinstance(model.detector, GradientDetector)
        self._model, self._detector = model, model.detector
        self._count, self._schedule, self._validate = count, schedule, validate
        self._optimizer = self._detector.optimizer()
        self._scaler = torch.amp.GradScaler(model.device.type, enabled=schedule.precision == "16")
        self._backpropagation = Backpropagation(model, schedule.batch_tiles, autocast(schedule.precision, model.device))
        self._steps_done, self._loss = 0, 0.0  # of the current epoch
        self._best: list[dict[str, Any]] | None = None
        self.history = History()

    @property
    def finished(self) -> bool:
        """Whether all epochs are done, or early stopping ends the training."""
        stopping, history = self._schedule.early_stopping, self.history
        stale = stopping is not None and history.stale >= stopping.patience
        return stale or history.epochs >= self._schedule.max_epochs

    @property
    def _steps(self) -> int:
        return -(-self._count // self._schedule.batch_pictures)

    def epoch(self, load: Load, checkpoint: Checkpoint, progress: Progress) -> None:
        """Runs the rest of the current epoch, and its validation if one is due."""
        order = epoch_order(self._count, self._schedule.seed, self.history.epochs)
        size = self._schedule.batch_pictures
        pictures = load(order[self._steps_done * size :])
        while batch := list(islice(pictures, size)):
            self._step(batch)
            self.report(progress)
            if self._steps_done < self._steps:
                checkpoint.save_if_due(self.state)
        self._end_epoch()
        checkpoint.save_if_due(self.state)
        if self.finished:
            history, total = self.history, self._steps * self.history.epochs
            early = "stopped early, " if history.epochs < self._schedule.max_epochs else ""
            progress("training", total, total, early + history.note(history.epochs))

    def report(self, progress: Progress, words: str = "") -> None:
        """Reports the progress, with a note that begins with `words`."""
        epochs = self._schedule.max_epochs
        done = self.history.epochs * self._steps + self._steps_done
        progress("training", done, self._steps * epochs, words + self.history.note(epochs))

    def _step(self, pictures: Sequence[Tensor]) -> None:
        self._optimizer.zero_grad(set_to_none=True)
        prepared = [self._model.prepare(picture) for picture in pictures]
        loss = self._backpropagation.step(prepared, self._backward)
        if not torch.isfinite(torch.tensor(loss)):
            raise InvalidTraining(
                f"the loss became {loss} in epoch {self.history.epochs + 1}; train with precision 32, or on pictures "
                "that differ more from one another"
            )
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._loss += loss
        self._steps_done += 1

    def _backward(self, loss: Tensor) -> None:
        self._scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # torch's

    def _end_epoch(self) -> None:
        history = self.history
        history.losses.append(self._loss / self._steps)
        self._steps_done, self._loss = 0, 0.0
        if history.epochs % self._schedule.validate_every and history.epochs < self._schedule.max_epochs:
            return
        self._detector.eval()
        values = {"train_loss": history.losses[-1], **self._validate(self._backpropagation)}
        self._detector.train()
        history.validations[history.epochs] = {name: value for name, value in values.items() if name != "train_loss"}
        self._judge(values)

    def _judge(self, values: Mapping[str, float]) -> None:
        """Keeps a copy of the networks if the value that early stopping monitors is the best so far."""
        stopping, history = self._schedule.early_stopping, self.history
        if stopping is None:
            return
        if stopping.monitor not in values:
            raise InvalidTraining(f"{stopping.monitor} could not be measured; monitor {', '.join(values)}")
        if stopping.improves(values[stopping.monitor], history.best_value):
            history.best_epoch, history.best_value, history.stale = history.epochs, values[stopping.monitor], 0
            self._best = deepcopy(self._learners())
        else:
            history.stale += 1

    def take_best(self) -> None:
        """Restores the networks of the best epoch, if there is one."""
        if self._best is not None:
            self._load_learners(self._best)

    def _learners(self) -> list[dict[str, Any]]:
        return [network.state_dict() for network in self._detector.learners]

    def _load_learners(self, states: Sequence[Mapping[str, Any]]) -> None:
        for network, state in zip(self._detector.learners, states, strict=True):
            network.load_state_dict(state)

    def state(self) -> dict[str, Any]:
        """The values from which `restore` continues the training."""
        return {
            "learners": self._learners(),
            "optimizer": self._optimizer.state_dict(),
            "scaler": self._scaler.state_dict(),
            "history": self.history.state(),
            "best": self._best,
            "steps_done": self._steps_done,
            "loss": self._loss,
        }

    def restore(self, state: Mapping[str, Any] | None) -> bool:
        """Continues from a state that `state` returned, if it is usable. Returns whether it is."""
        if state is None or len(state["history"]["losses"]) > self._schedule.max_epochs:
            return False  # a training with more epochs than `max_epochs` gives another model
        self._load_learners(state["learners"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._scaler.load_state_dict(state["scaler"])
        self.history = History.from_state(state["history"])
        self._best, self._steps_done, self._loss = state["best"], state["steps_done"], state["loss"]
        return True
