"""Distillation of features (Romero et al. 2015, arXiv:1412.6550) on pictures that are made during the training."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.optim.lr_scheduler import OneCycleLR

from app.backbones import ResNet
from app.errors import InvalidTraining
from app.progress import Progress
from app.runtime import Precision
from app.runtime.hardware import fast_precision
from app.training.checkpoint import Checkpoint
from app.training.distillation.recipe import DistillationRecipe
from app.training.distillation.student import Student
from app.training.distillation.teacher import LAYERS, Teacher, means, variances
from app.training.distillation.training_batches import TrainingBatches

HELD_OUT_BATCHES = 4
WEIGHT_DECAY = 0.01
WARM_UP = 0.05
"""The share of the steps in which the learning rate rises."""
LEAST_SCHEDULED = 21
"""The fewest steps of a schedule whose warm-up has more than one step; OneCycleLR divides by its length."""


@dataclass(slots=True)
class Outcome:
    """The result of a distillation.

    backbone: the student's backbone, in evaluation mode
    curve: a point for each measurement: its `step`, and by the name of each layer the share of the variance of the
        teacher's features that the student explains, at most 1
    """

    backbone: ResNet
    curve: list[dict[str, float]] = field(default_factory=list)


def distil(
    teacher: Teacher,
    architecture: str,
    recipe: DistillationRecipe,
    device: torch.device,
    checkpoint: Checkpoint,
    progress: Progress,
    pictures: Sequence[Path] = (),
    share: float = 0.0,
    measured: Callable[[ResNet, int], None] | None = None,
) -> Outcome:
    """Trains a backbone to reproduce the teacher's features.

    A `share` of the pictures of each step is windows of the files `pictures`; the others are synthetic. `measured` is
    called after each measurement, with the backbone and the number of steps. Continues from the checkpoint if that
    belongs to the same training; the result is then the same. Raises InvalidTraining if the loss becomes NaN.
    """
    torch.manual_seed(recipe.seed)
    training = _Training(teacher, Student(architecture, teacher.channels).to(device), recipe, device)
    training.restore(checkpoint.load())
    batches = TrainingBatches(recipe.batch_pictures, recipe.picture_size, recipe.seed, pictures, share)
    for batch in batches.batches(training.steps, recipe.steps):
        training.step(batch.to(device))
        if measured is not None and training.was_measured:
            measured(training.student.backbone, training.steps)
        progress("distilling", training.steps, recipe.steps, training.note())
        checkpoint.save_if_due(training.state)
    training.student.eval()
    return Outcome(training.student.backbone, training.curve)


class _Training:
    """The student, optimizer and curve of a running distillation."""

    def __init__(self, teacher: Teacher, student: Student, recipe: DistillationRecipe, device: torch.device) -> None:
        self._teacher, self.student, self._recipe = teacher, student, recipe
        student.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # missing in torch's overloads
        self._autocast = _half_precision(device)
        self._optimizer = torch.optim.AdamW(student.parameters(), recipe.learning_rate, weight_decay=WEIGHT_DECAY)
        total = max(recipe.steps, LEAST_SCHEDULED)
        self._schedule = OneCycleLR(self._optimizer, recipe.learning_rate, total_steps=total, pct_start=WARM_UP)
        held_out = TrainingBatches(recipe.batch_pictures, recipe.picture_size, recipe.seed + 1)
        self._held_out = [held_out.batch(number).to(device) for number in range(HELD_OUT_BATCHES)]
        targets = [torch.cat(layer) for layer in zip(*(teacher(batch) for batch in self._held_out), strict=True)]
        self._variances = variances(targets)
        student.start_from(means(targets), self._variances)
        self.steps, self._loss = 0, float("nan")
        self.curve: list[dict[str, float]] = []

    @property
    def _forced(self) -> bool:
        return self.student.can_be_forced and self.steps < (1 - self._recipe.joint_share) * self._recipe.steps

    @property
    def was_measured(self) -> bool:
        """Whether the last step ended with a measurement."""
        return bool(self.curve) and self.curve[-1]["step"] == self.steps

    def step(self, pictures: Tensor) -> None:
        """Runs one step of gradient descent, and a measurement if one is due."""
        self.student.train()
        targets = tuple(feature.clone() for feature in self._teacher(pictures))  # autograd takes no inference tensors
        with self._autocast():
            outputs = self.student(pictures, targets if self._forced else None)
        loss = sum(
            _unexplained(mine, true, scale) for mine, true, scale in zip(outputs, targets, self._variances, strict=True)
        )
        assert isinstance(loss, Tensor)
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]  # torch's
        torch.nn.utils.clip_grad_norm_(self.student.parameters(), 5.0)
        self._optimizer.step()
        self._schedule.step()
        self.steps, self._loss = self.steps + 1, float(loss.detach())
        if self._loss != self._loss:
            raise InvalidTraining(f"the loss became NaN in step {self.steps}; use a smaller learning_rate")
        if self.steps % self._recipe.evaluate_every == 0 or self.steps == self._recipe.steps:
            self.curve.append({"step": self.steps, **self._explained()})

    @torch.no_grad()
    def _explained(self) -> dict[str, float]:
        """For each layer, the share of the variance of held-out features that the student explains, at most 1.

        Measured without teacher forcing.
        """
        self.student.eval()
        lost = torch.zeros(len(LAYERS))
        for batch in self._held_out:
            layers = zip(self.student(batch), self._teacher(batch), self._variances, strict=True)
            lost += torch.tensor([float(_unexplained(mine, true, scale)) for mine, true, scale in layers])
        return {layer: 1 - float(part) / len(self._held_out) for layer, part in zip(LAYERS, lost, strict=True)}

    def note(self) -> str:
        """The loss and the last measurement, as text."""
        explained = ", ".join(f"{layer} {self.curve[-1][layer]:.3f}" for layer in LAYERS) if self.curve else ""
        return f"loss {self._loss:.3f}" + (f", explained: {explained}" if explained else "")

    def state(self) -> dict[str, Any]:
        """The values from which `restore` continues the training."""
        return {
            "student": self.student.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "steps": self.steps,
            "curve": self.curve,
        }

    def restore(self, state: dict[str, Any] | None) -> None:
        """Continues from a state that `state` returned; None: from the start."""
        if state is None:
            return
        self.student.load_state_dict(state["student"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._schedule.load_state_dict(state["schedule"])
        self.steps, self.curve = state["steps"], state["curve"]


def _half_precision(device: torch.device) -> Callable[[], AbstractContextManager[object]]:
    """Makes the context in which a network in training runs: bfloat16 if the hardware has it, else float32.

    bfloat16 needs no loss scaling.
    """
    has_it = torch.cuda.is_bf16_supported() if device.type == "cuda" else fast_precision(device) is Precision.bfloat16
    return partial(torch.autocast, device.type, dtype=torch.bfloat16) if has_it else nullcontext


def _unexplained(output: Tensor, true: Tensor, variance: Tensor) -> Tensor:
    """The squared error of features in units of the channels' variance: the mean over channels, pictures and cells."""
    return ((output.float() - true).square() / variance).mean()
