"""How well a detector does while it is trained, on pictures that it is not trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from app.data import decoded
from app.pipeline import TiledModel
from app.training.backpropagation import Backpropagation


class Validation:
    """Measures `val_loss`, the mean loss on normal pictures that are held out."""

    def __init__(self, model: TiledModel, normal: Sequence[Path], workers: int) -> None:
        self._model, self._normal, self._workers = model, normal, workers

    def __call__(self, backpropagation: Backpropagation) -> Mapping[str, float]:
        """The values by the names that `EarlyStopping` monitors."""
        pictures = decoded(self._normal, self._workers)
        losses = [backpropagation.loss(self._model.prepare(picture)) for picture in pictures]
        return {"val_loss": sum(losses) / len(losses)}
