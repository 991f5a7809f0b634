"""Training, testing and predicting from Python, with the names of anomalib's tutorial.

engine = Engine(callbacks=[TilerConfigurationCallback(tile_size=[128, 64], stride=64)])
engine.fit(model=Padim(), datamodule=MVTec(category="bottle", image_size=(128, 128)))
engine.test(datamodule=MVTec(category="bottle"))

`engine.fit(model="auto", ...)` chooses the detector, as `tessera train --model auto` does.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from app.artifacts import Artifact, Entry, ModelRepository, load_artifact
from app.data import MAX_PIXELS, DataModule, pictures_in
from app.decoding import decode
from app.detectors import Detector
from app.environment import warn_if_threads_spin
from app.errors import InvalidDataset, InvalidTraining
from app.evaluation import FIGURES, Procedure, evaluate, select_unseen
from app.pipeline import Prediction, interpret, predict, resolve_device, with_zones
from app.terminal import print_line, print_skipped, progress_bars
from app.tiling import Tiling
from app.training import Automatic, CalibrationChoice, Callback, Recipe, TrainerOptions, plan_training, train
from app.training.precision import Precision
from app.training.selection import Auto
from app.training.time_left import TimeLeft

METRICS = {figure.torchmetrics: figure for figure in FIGURES if figure.torchmetrics}
"""Metrics by anomalib's names. AUPRO exists for pixels only."""


class Engine:
    """Trains models into a repository that a server can serve, and tests and predicts with them.

    image_metrics, pixel_metrics: the metrics that `test` returns, keys of METRICS
    callbacks: set the tiling and early stopping; without TilerConfigurationCallback the whole picture is one tile, as
        in anomalib
    max_epochs, check_val_every_n_epoch, precision: see TrainerOptions
    calibration: the protocol that sets the thresholds; None: Automatic
    models_dir: the model repository
    name: the name of the model; None: the detector's name
    device: auto, cpu, cuda or cuda:N
    seed: the seed of the random choices of a training; choices in the constructor of a detector use torch's own seed
    """

    def __init__(
        self,
        image_metrics: Sequence[str] = ("AUROC", "F1Score"),
        pixel_metrics: Sequence[str] = ("AUROC", "F1Score"),
        callbacks: Iterable[Callback] = (),
        max_epochs: int | None = None,
        *,
        check_val_every_n_epoch: int = 1,
        precision: Precision = "auto",
        calibration: CalibrationChoice | None = None,
        models_dir: str | Path = "models",
        name: str | None = None,
        device: str = "auto",
        seed: int = 0,
    ) -> None:
        warn_if_threads_spin()
        unknown = {*image_metrics, *pixel_metrics} - METRICS.keys()
        if unknown:
            raise InvalidTraining(f"metrics {', '.join(sorted(unknown))} are not known; use {', '.join(METRICS)}")
        self._image_metrics, self._pixel_metrics = image_metrics, pixel_metrics
        self._options = TrainerOptions(
            max_epochs, check_val_every_n_epoch, precision=precision, callbacks=list(callbacks)
        )
        self._calibration = calibration or Automatic()
        self._repository, self._name = ModelRepository(Path(models_dir)), name
        self._device, self._seed = resolve_device(device), seed
        self._artifact: Artifact | None = None
        self._fitted: Detector | Auto | str | None = None

    def fit(self, model: Detector | Auto | Literal["auto"], datamodule: DataModule) -> Entry:
        """Trains the detector, and writes it as the next version of the model. Raises subclasses of TesseraError.

        `auto`, or `Auto` with its candidates, first chooses the detector by synthetic defects.
        """
        tiling = self._options.tiling or Tiling(enable=False)

        def recipe_of(detector: Detector) -> Recipe:
            return Recipe(
                detector, datamodule, tiling, self._calibration, self._seed, self._options, report=print_skipped
            )

        with progress_bars() as report:
            left = TimeLeft(report)
            if isinstance(model, Detector):
                recipe = recipe_of(model)
            else:
                auto = model if isinstance(model, Auto) else Auto()
                recipe = auto.recipe(recipe_of, self._device, self._seed, left)[0]
            job = plan_training(recipe, self._device)
            name = self._name or recipe.detector.name
            entry = train(recipe, job, self._repository, name, self._device, left)
        self._artifact, self._fitted = load_artifact(entry, self._device), model
        return entry

    def test(self, datamodule: DataModule, model: Detector | Auto | str | None = None) -> dict[str, float]:
        """The metrics of the test pictures by name, such as image_AUROC. Metrics that cannot be measured are absent.

        Pictures that the model was fitted to or calibrated on are left out, except those of `Reference`.

        Tests the model that was fitted last, or else the version of the engine's `name` that serves. `model`, if given,
        must be what was fitted last; else InvalidTraining is raised.
        """
        artifact = self._loaded()
        if model is not None and model is not self._fitted:
            raise InvalidTraining("this detector was not fitted by this engine; fit it first, or leave it out")
        pictures = datamodule.test_pictures()
        if not pictures:
            raise InvalidDataset(f"{datamodule.description} has no pictures to test on")
        selection = select_unseen(pictures, artifact.manifest)
        for note in filter(None, (selection.warning, *selection.notes)):
            print_line(f"note: {note}")
        procedure = Procedure(datamodule.num_workers, on_unreadable=datamodule.on_unreadable)
        calibration = artifact.calibration
        with progress_bars() as report:
            evaluation = evaluate(artifact.model, selection.pictures, calibration, procedure, report)
        levels = (
            ("image", evaluation.image, self._image_metrics),
            ("pixel", evaluation.pixel, self._pixel_metrics),
        )
        values = {
            f"{name}_{metric}": METRICS[metric].of(level)
            for name, level, metrics in levels
            if level
            for metric in metrics
        }
        return {name: value for name, value in values.items() if value is not None}

    def predict(self, pictures: str | Path | Sequence[str | Path]) -> list[Prediction]:
        """The predictions of the model that `test` uses for picture files, and for the pictures in folders (sorted)."""
        artifact = self._loaded()
        paths = [pictures] if isinstance(pictures, (str, Path)) else pictures
        calibration = artifact.calibration
        predictions = []
        for path in pictures_in([Path(each) for each in paths])[0]:
            image = decode(path.read_bytes(), max_pixels=MAX_PIXELS)
            prediction = interpret(predict(artifact.model, image), calibration)
            predictions.append(with_zones(prediction, artifact.model.zones, (image.shape[1], image.shape[2])))
        return predictions

    def _loaded(self) -> Artifact:
        """The artifact that was fitted last, or else the version of `name` that serves. Raises InvalidTraining."""
        if self._artifact is None:
            if self._name is None:
                raise InvalidTraining("no model was fitted yet; call fit first, or give the engine the name of a model")
            self._artifact = load_artifact(self._repository.find(self._name), self._device)
        return self._artifact
