"""What happened in each epoch of a training."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Self


@dataclass(slots=True)
class History:
    """Losses by epoch, and validation values by the epoch (from 1) after which they were taken; the best and the last.

    `best_epoch` is None without early stopping: then the last epoch's networks are kept.
    """

    losses: list[float] = field(default_factory=list)
    validations: dict[int, dict[str, float]] = field(default_factory=dict)
    best_epoch: int | None = None
    best_value: float | None = None
    stale: int = 0  # validations since the best one

    @property
    def epochs(self) -> int:
        """How many epochs were finished."""
        return len(self.losses)

    def note(self, max_epochs: int) -> str:
        """A line about the state of the training."""
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
        """All of it as plain values."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, object]) -> Self:
        """The history that `state` was taken of."""
        return cls(**state)  # type: ignore[arg-type]  # what asdict made of one
