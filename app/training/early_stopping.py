"""When to stop training before its last epoch, and which epoch was the best."""

from dataclasses import dataclass
from typing import Literal

from app.errors import InvalidTraining
from app.training.callbacks import Callback

Monitor = Literal["train_loss", "val_loss", "image_AUROC", "pixel_AUROC"]
MONITORS: tuple[Monitor, ...] = ("train_loss", "val_loss", "image_AUROC", "pixel_AUROC")


@dataclass(frozen=True)
class EarlyStopping(Callback):
    """Stops once `monitor` did not improve by more than `min_delta` for `patience` validations; the best epoch is kept.

    `val_loss` is the loss on the normal pictures that are held out; the AUROCs need labelled validation pictures.
    `mode` "max" takes larger values for better; by default it is what suits the monitor. Raises InvalidTraining.
    """

    monitor: Monitor = "val_loss"
    patience: int = 3
    min_delta: float = 0.0
    mode: Literal["min", "max"] | None = None

    def __post_init__(self) -> None:
        if self.monitor not in MONITORS:
            raise InvalidTraining(f"monitor is {self.monitor!r}; use one of {', '.join(MONITORS)}")
        if self.patience < 1:
            raise InvalidTraining(f"patience is {self.patience}; use 1 or more")
        if self.min_delta < 0:
            raise InvalidTraining(f"min_delta is {self.min_delta}; use 0 or more")
        suits = "max" if self.monitor.endswith("AUROC") else "min"
        if self.mode not in (None, suits):
            raise InvalidTraining(f"mode is {self.mode!r}, and {self.monitor} is better the other way; use {suits!r}")

    def improves(self, value: float, best: float | None) -> bool:
        """Whether a value is better than the best so far by more than `min_delta`."""
        gain = value - (best or 0.0) if self.monitor.endswith("AUROC") else (best or 0.0) - value
        return best is None or gain > self.min_delta
