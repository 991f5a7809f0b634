"""What the command line, a configuration file or a program says of how to train."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import InvalidTraining
from app.tiling import Tiling
from app.training.callbacks import Callback, TilerConfigurationCallback
from app.training.early_stopping import EarlyStopping
from app.training.precision import Precision


@dataclass(frozen=True, slots=True)
class TrainerOptions:
    """How detectors are trained that learn by gradient descent, and callbacks of anomalib's names for all of them.

    Raises InvalidTraining.

    Args:
        max_epochs: the number of epochs; by default 100 for STFPM, 200 for Reverse Distillation
        check_val_every_n_epoch: the number of epochs between two validations on held-out pictures
        batch_tiles: for how many tiles gradients are computed at once, whatever the number of pictures in a step
        precision: auto (half on a GPU, single on a CPU), 32, bf16 or 16
        callbacks: TilerConfigurationCallback and EarlyStopping, in either form of anomalib's tutorial
    """

    max_epochs: int | None = None
    check_val_every_n_epoch: int = 1
    batch_tiles: int = 32
    precision: Precision = "auto"
    callbacks: Callback | list[Callback] | None = None

    def __post_init__(self) -> None:
        for name in ("max_epochs", "check_val_every_n_epoch", "batch_tiles"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InvalidTraining(f"{name} is {value}; use 1 or more")
        for kind in (TilerConfigurationCallback, EarlyStopping):
            if sum(isinstance(each, kind) for each in self._callbacks) > 1:
                raise InvalidTraining(f"there are several callbacks of the class {kind.__name__}; use one")

    @property
    def _callbacks(self) -> Sequence[Callback]:
        given = self.callbacks
        return [] if given is None else [given] if isinstance(given, Callback) else given

    @property
    def tiling(self) -> Tiling | None:
        """The tiling that a callback sets; None without one."""
        found = (each.tiling for each in self._callbacks if isinstance(each, TilerConfigurationCallback))
        return next(found, None)

    @property
    def early_stopping(self) -> EarlyStopping | None:
        """When to stop before the last epoch; None: never."""
        return next((each for each in self._callbacks if isinstance(each, EarlyStopping)), None)
