"""How well a detector does while it is trained, on pictures that it is not trained on."""

from collections.abc import Mapping

from app.data import Loader
from app.pipeline import TiledModel
from app.training.backpropagation import Backpropagation


class Validation:
    """Measures `val_loss`, the mean loss on normal pictures that are held out."""

    def __init__(self, model: TiledModel, normal: Loader) -> None:
        self._model, self._normal = model, normal

    def __call__(self, backpropagation: Backpropagation) -> Mapping[str, float]:
        """The values by the names that `EarlyStopping` monitors."""
        losses = [backpropagation.loss(self._model.prepare(picture)) for picture in self._normal.epoch()]
        return {"val_loss": sum(losses) / len(losses)}
