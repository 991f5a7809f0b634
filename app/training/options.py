"""The options of a training, from the command line, a configuration file or a program."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.errors import InvalidTraining
from app.tiling import Tiling
from app.training.callbacks import Callback, TilerConfigurationCallback
from app.training.early_stopping import EarlyStopping
from app.training.precision import Precision


@dataclass(frozen=True, slots=True)
class TrainerOptions:
    """Options for detectors that are trained by gradient descent, and callbacks for all detectors.

    Raises InvalidTraining.

    Args:
        max_epochs: the largest number of epochs; by default 100 for STFPM, 200 for Reverse Distillation
        check_val_every_n_epoch: the number of epochs between two validations on held-out pictures
        batch_tiles: the largest number of tiles for which gradients are computed at once; independent of the number of
            pictures in a step
        precision: the precision of gradients: auto (half on a GPU, single on a CPU), 32, bf16 or 16
        callbacks: TilerConfigurationCallback, EarlyStopping, or a list of both, under the names of anomalib
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
        """The rule that ends a training before its last epoch; None: there is none."""
        return next((each for each in self._callbacks if isinstance(each, EarlyStopping)), None)
