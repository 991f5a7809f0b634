"""Measures a detector during its training, on pictures that it is not trained on."""

from collections.abc import Mapping, Sequence

from app.data import DataModule, LabelledPicture, Loader
from app.errors import InvalidTraining
from app.evaluation import Procedure, evaluate, manifest_metrics
from app.pipeline import TiledModel
from app.training.backpropagation import Backpropagation
from app.training.early_stopping import EarlyStopping

LEVELS = ("image", "pixel")


class Validation:
    """Measures `val_loss`, the mean loss of normal pictures, and `image_AUROC` and `pixel_AUROC` of labelled ones."""

    def __init__(
        self, model: TiledModel, normal: Loader, labelled: Sequence[LabelledPicture], procedure: Procedure
    ) -> None:
        self._model, self._normal = model, normal
        self._labelled, self._procedure = labelled, procedure

    def __call__(self, backpropagation: Backpropagation) -> Mapping[str, float]:
        """The values by the names that `EarlyStopping` monitors; values that cannot be measured are absent."""
        losses = [backpropagation.loss(self._model.prepare(picture)) for picture in self._normal.epoch()]
        found = {"val_loss": sum(losses) / len(losses)} if losses else {}
        if self._labelled:
            metrics = manifest_metrics(evaluate(self._model, self._labelled, None, self._procedure))
            found |= {f"{level}_AUROC": metrics[f"{level}_auroc"] for level in LEVELS if f"{level}_auroc" in metrics}
        return found


def labelled_pictures(data: DataModule, stopping: EarlyStopping | None) -> list[LabelledPicture]:
    """The pictures for AUROC; raises InvalidTraining if early stopping needs pictures or masks that are missing."""
    pictures = data.validation_pictures()
    monitor = stopping.monitor if stopping else ""
    if not monitor.endswith("AUROC"):
        return pictures
    anomalous = [picture for picture in pictures if picture.anomalous]
    if not anomalous or len(anomalous) == len(pictures):
        raise InvalidTraining(
            f"early stopping by {monitor} needs normal and anomalous validation pictures, and there are "
            f"{len(pictures) - len(anomalous)} and {len(anomalous)}; take some of the test pictures "
            "(--data.val_split_mode from_test), or monitor val_loss"
        )
    if monitor == "pixel_AUROC" and all(picture.mask is None for picture in anomalous):
        raise InvalidTraining("early stopping by pixel_AUROC needs masks, and there are none; monitor image_AUROC")
    return pictures
