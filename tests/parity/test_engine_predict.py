"""Checkpoints of unusual trainings give the verdicts of anomalib's `Engine.predict` in a fresh process."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from anomalib.data import Folder, PredictDataset
from anomalib.engine import Engine
from anomalib.post_processing import MEBinPostProcessor
from lightning.pytorch.callbacks import EMAWeightAveraging, WeightAveraging
from PIL import Image

from app.artifacts import ModelRepository, load_artifact
from app.errors import UnsupportedImport
from app.importing import Choices, import_model
from app.pipeline import Label, interpret, predict
from app.tiling import Tiling
from tests.parity.conftest import measure_exactly, without_downloads
from tests.parity.test_import import CLASSES, custom

UNTILED = Choices(tiling=Tiling(enable=False))


@dataclass(frozen=True)
class Variant:
    """A change of a training, and how the file that it writes must be imported."""

    name: str
    model: str
    wrap: Callable[[Any], None] = lambda module: None
    callbacks: Callable[[], list[Any]] = list


def compiled(module: Any) -> None:
    """Compiles the network; `eager` traces it without generating code."""
    module.model = torch.compile(module.model, backend="eager")


def compiled_within(module: Any) -> None:
    """Compiles the student only."""
    module.model.student_model = torch.compile(module.model.student_model, backend="eager")


VARIANTS = [
    Variant("compiled", "padim", compiled),
    Variant("compiled", "patchcore", compiled),
    Variant("compiled within", "stfpm", compiled_within),
    Variant("averaged", "stfpm", callbacks=lambda: [EMAWeightAveraging(decay=0.9)]),
    Variant("averaged without buffers", "stfpm", callbacks=lambda: [EMAWeightAveraging(decay=0.5, use_buffers=False)]),
    Variant("averaged from the second epoch", "reverse_distillation", callbacks=lambda: [_LateAverage()]),
]


class _LateAverage(WeightAveraging):  # type: ignore[misc]  # lightning has no types here
    """Averages after the first validation, so that averages have thresholds, which are outdated."""

    def should_update(self, step_idx: int | None = None, epoch_idx: int | None = None) -> bool:
        return step_idx is not None and step_idx >= 3


def _engine(output: Path, callbacks: list[Any]) -> Engine:
    options = {"max_epochs": 2, "accelerator": "cpu", "logger": False, "enable_progress_bar": False}
    return Engine(default_root_dir=output, callbacks=callbacks, **options)


def _data(folder: Path) -> Folder:
    options = {"train_batch_size": 2, "eval_batch_size": 2, "num_workers": 0, "val_split_mode": "same_as_test"}
    return Folder("surface", root=folder, normal_dir="good", abnormal_dir="bad", **options)


def _fit(model: str, folder: Path, output: Path, wrap: Callable[[Any], None], callbacks: list[Any], **own: Any) -> Path:
    """The checkpoint of a model that anomalib trained for two epochs."""
    torch.manual_seed(0)
    with warnings.catch_warnings(), without_downloads():
        warnings.simplefilter("ignore")
        module = CLASSES[model](backbone="resnet18", **{**custom((64, 96)), **own})
        wrap(module)
        engine = _engine(output, callbacks)
        engine.fit(model=module, datamodule=_data(folder))
    assert engine.best_model_path
    return Path(engine.best_model_path)


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: f"{variant.model} {variant.name}")
def test_checkpoints_give_the_verdicts_of_a_fresh_engine(variant: Variant, folder: Path, tmp_path: Path) -> None:
    options: dict[str, Any] = {"n_features": 20} if variant.model == "padim" else {}
    checkpoint = _fit(variant.model, folder, tmp_path, variant.wrap, variant.callbacks(), **options)
    with warnings.catch_warnings(), without_downloads():
        warnings.simplefilter("ignore")
        fresh = CLASSES[variant.model](backbone="resnet18", **{**options, **custom((64, 96))})
        measure_exactly(fresh)
        variant.wrap(fresh)
        dataset = PredictDataset(path=folder / "bad")
        batches = _engine(tmp_path, []).predict(model=fresh, dataset=dataset, ckpt_path=checkpoint)
    entry = import_model(checkpoint, ModelRepository(tmp_path / "models"), "imported", UNTILED).entry
    artifact = load_artifact(entry)
    found = artifact.manifest.calibration.build()
    for batch in batches:
        for path, score, label in zip(batch.image_path, batch.pred_score, batch.pred_label, strict=True):
            picture = torch.from_numpy(np.array(Image.open(path))).permute(2, 0, 1).contiguous()
            outcome = predict(artifact.model, picture, 4)
            normalised = found.normalise_score(outcome.raw_score)
            expected = min(max(float(score) + 0.5 - 0.7, 0), 1)  # our threshold is at 0.5, theirs at 1 - 0.3
            if 0 < float(score) < 1:
                assert normalised == pytest.approx(expected, abs=2e-3)
            assert (interpret(outcome, found).label is Label.anomalous) == bool(label)


def test_another_post_processor_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    checkpoint = _fit("patchcore", folder, tmp_path, lambda _: None, [], post_processor=MEBinPostProcessor())
    with pytest.raises(UnsupportedImport, match="MEBinPostProcessor"):
        import_model(checkpoint, ModelRepository(tmp_path / "models"), "refused", UNTILED)
