"""Training, testing and predicting from Python, in the words of anomalib's tutorial.

engine = Engine(callbacks=[TilerConfigurationCallback(tile_size=[128, 64], stride=64)])
engine.fit(model=Padim(), datamodule=MVTec(category="bottle", image_size=(128, 128)))
engine.test(datamodule=MVTec(category="bottle"))
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

from app.artifacts import Artifact, Entry, ModelRepository, load_artifact
from app.data import MAX_PIXELS, DataModule, pictures_in
from app.decoding import decode
from app.detectors import Detector
from app.environment import warn_if_threads_spin
from app.errors import InvalidDataset, InvalidTraining
from app.evaluation import FIGURES, Procedure, evaluate
from app.pipeline import Prediction, interpret, predict, resolve_device
from app.terminal import progress_bars, say_skipped
from app.tiling import Tiling
from app.training import CalibrationProtocol, Callback, HoldOut, Recipe, TrainerOptions, plan_training, train
from app.training.precision import Precision

METRICS = {figure.torchmetrics: figure for figure in FIGURES if figure.torchmetrics}
"""By anomalib's names; AUPRO is of pixels only."""


class Engine:
    """Trains models into a repository, from which a server takes them, and tests and predicts with them.

    `callbacks` set the tiling (without TilerConfigurationCallback the whole picture is one tile, as in anomalib) and
    early stopping. `image_metrics` and `pixel_metrics` are what `test` returns, of METRICS. Models are written to
    `models_dir` as versions of `name`, which is the detector's unless given. `seed` is of the choices made while
    training; what a detector draws when it is made has torch's own seed.
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
        calibration: CalibrationProtocol | None = None,
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
        self._calibration = calibration or HoldOut()
        self._repository, self._name = ModelRepository(Path(models_dir)), name
        self._device, self._seed = resolve_device(device), seed
        self._artifact: Artifact | None = None
        self._fitted: Detector | None = None

    def fit(self, model: Detector, datamodule: DataModule) -> Entry:
        """Trains the detector, and writes it as the next version of its name. Raises TesseraError of several kinds."""
        tiling = self._options.tiling or Tiling(enable=False)
        recipe = Recipe(model, datamodule, tiling, self._calibration, self._seed, self._options, report=say_skipped)
        job = plan_training(recipe, self._device)
        with progress_bars() as report:
            entry = train(recipe, job, self._repository, self._name or model.name, self._device, report)
        self._artifact, self._fitted = load_artifact(entry, self._device), model
        return entry

    def test(self, datamodule: DataModule, model: Detector | None = None) -> dict[str, float]:
        """The metrics of the test pictures by name, such as image_AUROC; those that cannot be measured are absent.

        Of the model that was fitted last, which is what `model` must be if it is given, or the newest of the name.
        """
        artifact = self._loaded()
        if model is not None and model is not self._fitted:
            raise InvalidTraining("this detector was not fitted by this engine; fit it first, or leave it out")
        pictures = datamodule.test_pictures()
        if not pictures:
            raise InvalidDataset(f"{datamodule.description} has no pictures to test on")
        procedure = Procedure(datamodule.num_workers, on_unreadable=datamodule.on_unreadable)
        calibration = artifact.calibration
        with progress_bars() as report:
            found = evaluate(artifact.model, pictures, calibration, procedure, report)
        levels = (("image", found.image, self._image_metrics), ("pixel", found.pixel, self._pixel_metrics))
        values = {
            f"{name}_{metric}": METRICS[metric].of(level)
            for name, level, metrics in levels
            if level
            for metric in metrics
        }
        return {name: value for name, value in values.items() if value is not None}

    def predict(self, pictures: str | Path | Sequence[str | Path]) -> list[Prediction]:
        """What the newest model of the name says of picture files, or of those in folders, sorted."""
        artifact = self._loaded()
        paths = [pictures] if isinstance(pictures, (str, Path)) else pictures
        calibration = artifact.calibration
        found = []
        for path, _ in (each for given in paths for each in pictures_in(Path(given))):
            image = decode(path.read_bytes(), max_pixels=MAX_PIXELS)
            outcome = predict(artifact.model, image)
            found.append(interpret(outcome, calibration))
        return found

    def _loaded(self) -> Artifact:
        """The model that was fitted last, or else the newest of the name."""
        if self._artifact is None:
            if self._name is None:
                raise InvalidTraining("no model was fitted yet; call fit first, or give the engine the name of a model")
            self._artifact = load_artifact(self._repository.find(self._name), self._device)
        return self._artifact
