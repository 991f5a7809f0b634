"""Trains a detector: fits it, calibrates it, and writes the artifact."""

from functools import partial
from pathlib import Path

import torch

from app.artifacts import (
    AlikeRecord,
    DefectSizeRecord,
    DigestRecord,
    Entry,
    ModelRecord,
    ModelRepository,
    QualityRecord,
    SeenRecord,
    TrainingRecord,
    write_artifact,
)
from app.artifacts.manifest import MAX_UNLIKE
from app.data import KEEP_BYTES, LabelledPicture, Loader, UnreadablePolicy, read_digests
from app.detectors import Fitter, GradientDetector
from app.errors import NotFinite
from app.evaluation import Procedure
from app.pipeline import TiledModel
from app.progress import Progress
from app.training.alike import Sketches
from app.training.assessment import HeldOut, assess, pictures_assessed
from app.training.calibration import ReadingOptions
from app.training.camera import CameraPictures
from app.training.checkpoint import Checkpoint
from app.training.evidence import collect_evidence
from app.training.feature_store import FeatureStore
from app.training.forecast import Ahead
from app.training.fused import with_fused_network
from app.training.gradient import Schedule, fit_by_gradient
from app.training.gradient_time import expect_gradient
from app.training.memory import available_bytes, out_of_memory_explained
from app.training.monitor import Monitor
from app.training.one_pass import OnePassFit, fit
from app.training.plan import Job, Recipe
from app.training.precision import resolve_precision
from app.training.resumption import Resumption
from app.training.time_left import TimeLeft
from app.training.training_digest import training_digest
from app.training.unlike import Patches
from app.training.validation import Validation
from app.training.workspace import workspace


def train(
    recipe: Recipe, job: Job, repository: ModelRepository, name: str, device: torch.device, progress: Progress
) -> Entry:
    """Fits, calibrates and writes the next version of `name`. Raises subclasses of TesseraError."""
    repository.next_version(name)  # raises InvalidName before the work, not after it
    if recipe.seed is not None:
        torch.manual_seed(recipe.seed)
    source = recipe.detector.load_weights()
    model = TiledModel(recipe.detector, job.preprocessing, recipe.tiling, device=device)
    own = training_digest(recipe, job, source)
    with workspace(repository.prepare(name), own) as path:  # raises InvalidName for a place without write access
        return _train(recipe, job, model, source, repository, name, Checkpoint(path, own), progress)


def _train(
    recipe: Recipe,
    job: Job,
    model: TiledModel,
    source: str,
    repository: ModelRepository,
    name: str,
    checkpoint: Checkpoint,
    progress: Progress,
) -> Entry:
    lost: set[Path] = set()
    unreadable = _recording_policy(recipe, lost)
    reading = ReadingOptions(recipe.data.num_workers, job.batch_tiles, unreadable, job.at_once)
    if not recipe.resume:
        checkpoint.remove()
    left = TimeLeft.of(progress)
    training: TrainingRecord | None = None
    fitted: OnePassFit | None = None
    fast = model
    room = None if job.calibration.measures_fitted else 0
    with out_of_memory_explained(model.device, model.detector), FeatureStore(checkpoint.path.parent, room) as store:
        if isinstance(model.detector, GradientDetector):
            training, alike, camera = _fit_by_gradient(model, recipe, job, checkpoint, unreadable, left)
        else:
            fast = with_fused_network(model)
            fitted = _fit_in_one_pass(fast, recipe, job, checkpoint, unreadable, store, left)
            if fitted.unlike:
                recipe.unlike(fitted.unlike)
            alike, camera = fitted.alike, fitted.camera or CameraPictures(fast)
        calibrated = job.calibration.calibrate(fast, _calibrated_on(job, fitted), reading, left, fitted)
        protocol = calibrated.protocol or job.protocol
        defects: tuple[DefectSizeRecord, ...] = ()
        if recipe.assess and protocol != "training-normal":
            threshold, seed = calibrated.calibration.pixel_threshold, recipe.seed or 0
            defects = assess(_held_out(fast, job, fitted), threshold, reading, seed, left)
        pictures = fitted.pictures if fitted else [path for path in job.fit if path not in lost]
        evidence = collect_evidence(fast, pictures, job.size_of, reading, fitted, recipe.copies_mib, left)
    false_alarms = None if protocol == "training-normal" else calibrated.false_alarms
    record = ModelRecord(
        protocol=protocol,
        calibration_pictures=calibrated.pictures,
        anomalous_pictures=calibrated.anomalous_pictures,
        false_positive_rate=calibrated.false_positive_rate,
        dataset=recipe.data.description,
        pictures=len(set(job.fit) - lost),
        picture_sizes=job.picture_sizes,
        backbone_weights=Path(source).name if Path(source).is_file() else source,
        seed=recipe.seed,
        training=training,
        seen=_seen(recipe, job, lost),
        quality=QualityRecord(
            false_alarms=false_alarms,
            defects=defects,
            candidates=recipe.candidates,
            alike=alike or calibrated.alike,
            unlike=tuple(path.name for path in (fitted.unlike[:MAX_UNLIKE] if fitted else ())),
        ),
        thresholds=calibrated.thresholds,
        camera=None if protocol == "training-normal" else camera.baseline(calibrated.levels),
        evidence=evidence,
        normal_level=None if protocol == "training-normal" else calibrated.normal_level,
    )
    entry = write_artifact(model.with_calibration(calibrated.calibration), repository, name, record)
    checkpoint.remove()
    return entry


def _held_out(model: TiledModel, job: Job, fitted: OnePassFit | None) -> list[HeldOut]:
    """Normal pictures, with models that were not fitted to them."""
    if fitted is None or not job.calibration.measures_fitted:
        return [HeldOut(lambda: model, [picture.path for picture in job.calibrate if not picture.anomalous])]
    fitter, pictures = fitted.fitter, fitted.pictures
    if not fitter.measures_others:  # a picture with a defect is another picture, and was not fitted to
        return [HeldOut(lambda: model, pictures)]
    return [
        HeldOut(partial(_without, model, fitter, fold), [pictures[number] for number in fold])
        for fold in fitter.folds(len(pictures))
    ]


def _without(model: TiledModel, fitter: Fitter, fold: range) -> TiledModel:
    return model.with_detector(fitter.without(fold))


def _seen(recipe: Recipe, job: Job, lost: set[Path]) -> SeenRecord:
    """The digests of the pictures of the training, without those that could not be read."""
    calibrated = {picture.path: job.digests[picture.path] for picture in job.calibrate if picture.path not in lost}
    if recipe.trainer.early_stopping:
        calibrated |= read_digests(picture.path for picture in job.labelled if picture.path not in calibrated)
    fitted = (job.digests[path] for path in job.fit if path not in lost)
    return SeenRecord(fitted=DigestRecord.of(fitted), calibrated=DigestRecord.of(calibrated.values()))


def _recording_policy(recipe: Recipe, lost: set[Path]) -> UnreadablePolicy:
    """The recipe's policy for pictures that cannot be read. It adds the pictures that are left out to `lost`."""

    def report(path: Path, reason: str) -> None:
        lost.add(path)
        recipe.report(path, reason)

    return UnreadablePolicy(recipe.data.on_unreadable, report)


def _fit_in_one_pass(
    model: TiledModel,
    recipe: Recipe,
    job: Job,
    checkpoint: Checkpoint,
    unreadable: UnreadablePolicy,
    store: FeatureStore,
    left: TimeLeft,
) -> OnePassFit:
    count, resumption = len(job.fit), Resumption(checkpoint)
    begun = bool(resumption.added)  # the features of these pictures are not kept
    assessed = pictures_assessed(model, job.sizes) if recipe.assess else 0.0

    def ahead() -> Ahead:
        return Ahead(len(job.calibrate), 1.0 if begun else store.missing_share(count), assessed, job.at_once)

    monitor = Monitor(resumption, left, ahead)
    sketches, camera, patches = Sketches(), CameraPictures(model), Patches(count, job.grid)
    with Loader(job.fit, recipe.data.num_workers, unreadable, keep_bytes=0) as loader:
        read = camera.watch(loader.numbered(resumption.missing(count)))
        pictures = resumption.counted(sketches.watch(read, job.fit))
        kept = None if begun else store
        try:
            fitter = fit(
                model, pictures, count, job.grid, job.batch_tiles, left, monitor=monitor, store=kept, patches=patches
            )
        except NotFinite as error:
            raise NotFinite(f"{job.fit[resumption.next]}: {error}") from error
    added = [job.fit[number] for number in resumption.added]
    now = added[len(added) - patches.pictures :]  # the others were read by the process that is resumed
    unlike = [now[number] for number in patches.unlike()]
    return OnePassFit(fitter, added, store, sketches.alike(), camera, unlike)


def _calibrated_on(job: Job, fitted: OnePassFit | None) -> list[LabelledPicture]:
    """The pictures to calibrate on; those that were fitted to in the fitter's order, if the protocol measures them."""
    if fitted is None or not job.calibration.measures_fitted:
        return job.calibrate
    own = {picture.path: picture for picture in job.calibrate}
    return [own[path] for path in fitted.pictures]


def _fit_by_gradient(
    model: TiledModel,
    recipe: Recipe,
    job: Job,
    checkpoint: Checkpoint,
    unreadable: UnreadablePolicy,
    left: TimeLeft,
) -> tuple[TrainingRecord, AlikeRecord | None, CameraPictures]:
    workers, schedule = recipe.data.num_workers, _schedule(recipe, job, model.device)
    keep = min(KEEP_BYTES, available_bytes(torch.device("cpu")) // 4)
    normal = [picture.path for picture in job.calibrate if not picture.anomalous]
    sketches, camera = Sketches(), CameraPictures(model)
    with (
        Loader(job.fit, workers, unreadable, ahead=schedule.batch_pictures, keep_bytes=keep) as pictures,
        Loader(normal, workers, unreadable, keep_bytes=keep // 4) as held_out,
    ):
        expect_gradient(model, pictures, job, schedule, left)
        procedure = Procedure(workers, job.batch_tiles, recipe.data.on_unreadable)
        validation = Validation(model, held_out, job.labelled, procedure)
        watched = lambda order: (each for _, each in sketches.watch(camera.watch(pictures.numbered(order)), job.fit))  # noqa: E731
        history = fit_by_gradient(model, watched, len(job.fit), schedule, validation, checkpoint, left)
    record = TrainingRecord(
        max_epochs=schedule.max_epochs,
        precision=schedule.precision,
        losses=history.losses,
        validations=history.validations,
        best_epoch=history.best_epoch,
    )
    return record, sketches.alike(), camera


def _schedule(recipe: Recipe, job: Job, device: torch.device) -> Schedule:
    assert isinstance(recipe.detector, GradientDetector)
    return Schedule(
        recipe.trainer.max_epochs or recipe.detector.default_max_epochs,
        recipe.data.train_batch_size,
        job.batch_tiles,
        resolve_precision(recipe.trainer.precision, device),
        recipe.seed or 0,
        recipe.trainer.check_val_every_n_epoch,
        recipe.trainer.early_stopping,
    )
