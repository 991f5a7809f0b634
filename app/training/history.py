"""The losses and validations of a training."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self


@dataclass(slots=True)
class History:
    """The losses and validations of a training. Epochs count from 1.

    losses: the mean loss of a step, for each finished epoch
    validations: the values of each validation by their names, by the epoch after which they were measured
    best_epoch: the epoch with the best monitored value; None without early stopping: the last epoch's networks are kept
    best_value: the monitored value after that epoch
    stale: the number of validations since the best one
    """

    losses: list[float] = field(default_factory=list)
    validations: dict[int, dict[str, float]] = field(default_factory=dict)
    best_epoch: int | None = None
    best_value: float | None = None
    stale: int = 0

    @property
    def epochs(self) -> int:
        """The number of finished epochs."""
        return len(self.losses)

    def note(self, max_epochs: int) -> str:
        """A line for people about the state of the training."""
        parts = [
            f"epoch {self.epochs + 1} of {max_epochs}" if self.epochs < max_epochs else f"epoch {self.epochs} done"
        ]
        if self.losses:
            parts.append(f"loss {self.losses[-1]:.4g}")
        if self.validations:
            parts += [f"{name} {value:.4g}" for name, value in self.validations[max(self.validations)].items()]
        if self.best_epoch is not None:
            parts.append(f"best after {self.best_epoch}")
        return ", ".join(parts)

    def state(self) -> dict[str, object]:
        """The history as plain values, for a checkpoint."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> Self:
        """Restores a history from the values that `state` returned."""
        return cls(**state)  # type: ignore[arg-type]  # asdict made the values
