"""When to stop training before its last epoch, and which epoch was the best."""

from dataclasses import dataclass
from typing import Literal

from app.errors import InvalidTraining
from app.training.callbacks import Callback

Monitor = Literal["train_loss", "val_loss", "image_AUROC", "pixel_AUROC"]
MONITORS: tuple[Monitor, ...] = ("train_loss", "val_loss", "image_AUROC", "pixel_AUROC")


@dataclass(frozen=True)
class EarlyStopping(Callback):
    """Ends the training after `patience` validations without an improvement of `monitor`. The best epoch is kept.

    Raises InvalidTraining.

    Args:
        monitor: the value that is compared: val_loss, the loss of the normal pictures that are held out; train_loss;
            image_AUROC or pixel_AUROC, which need labelled validation pictures (data.val_split_mode)
        patience: the number of successive validations without an improvement after which the training ends
        min_delta: an improvement must be larger than this
        mode: min for the losses, max for AUROC; by default the one that the monitor needs
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
            raise InvalidTraining(f"mode is {self.mode!r}, but {self.monitor} needs {suits!r}")

    def improves(self, value: float, best: float | None) -> bool:
        """Whether a value is better than the best so far by more than `min_delta`."""
        gain = value - (best or 0.0) if self.monitor.endswith("AUROC") else (best or 0.0) - value
        return best is None or gain > self.min_delta
