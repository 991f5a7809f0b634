"""How a model is run once it is loaded."""

from pathlib import Path

import pytest
import torch

from app.artifacts import ModelRepository, load_artifact
from app.artifacts.golden import load_golden
from app.artifacts.manifest import GOLDEN, GoldenRecord
from app.artifacts.tuning import tune
from app.errors import GoldenMismatch
from app.pipeline import predict
from app.runtime import Candidate, RunOptions
from app.runtime.hardware import fast_precision

CPU = torch.device("cpu")
FAST = fast_precision(CPU)
needs_fast = pytest.mark.skipif(FAST is None, reason="this processor computes float32 only")


@needs_fast
def test_auto_takes_the_fast_precision_where_the_golden_sample_agrees(models_dir: Path) -> None:
    entry = ModelRepository(models_dir).find("patchcore", 1)
    exact, fast = (load_artifact(entry, options=RunOptions(precision=each)).model for each in ("float32", "auto"))
    assert fast.network.precision == FAST
    picture = load_golden(entry.path / GOLDEN).picture
    expected, found = (predict(model, picture).anomaly_map for model in (exact, fast))
    assert not torch.equal(found, expected)
    assert float((found - expected).abs().max()) <= 2e-2 * float(expected.max())


@needs_fast
@pytest.mark.parametrize("precision", ["auto", FAST])
def test_auto_falls_back_to_float32_where_it_does_not_and_others_are_refused(models_dir: Path, precision: str) -> None:
    entry = ModelRepository(models_dir).find("patchcore", 1)
    model, golden = load_artifact(entry).model, load_golden(entry.path / GOLDEN)
    record = GoldenRecord(tolerance=1e-3, reduced_precision_tolerance=1e-6)
    options = RunOptions(precision=precision)  # type: ignore[arg-type]  # parametrised
    if precision == "auto":
        tune(model, golden, record, options)
        assert model.network.precision == "float32"
    else:
        with pytest.raises(GoldenMismatch, match=f"in {FAST}, and at most 1e-06"):
            tune(model, golden, record, options)


def test_the_number_of_tiles_is_measured_unless_it_is_given(models_dir: Path) -> None:
    entry = ModelRepository(models_dir).find("patchcore", 1)
    assert load_artifact(entry, options=RunOptions(batch_tiles=5)).model.batch_tiles == 5
    assert load_artifact(entry, options=RunOptions(batch_tiles=0)).model.batch_tiles in (1, 2, 4, 8, 16)


def test_the_ways_to_run_a_network_are_compared_and_the_fastest_that_is_right_is_taken(models_dir: Path) -> None:
    entry = ModelRepository(models_dir).find("patchcore", 1)
    model = load_artifact(entry, options=RunOptions(precision="auto", batch_tiles=0)).model
    ran = Candidate(model.network.precision, model.network.kernels)
    if len(model.trials) > 1:
        assert ran == model.trials[0].candidate
        assert all(trial.seconds > 0 for trial in model.trials)
    assert not load_artifact(entry).model.trials


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_model_may_be_in_as_many_lanes_as_there_are_at_most(models_dir: Path, lanes: int) -> None:
    entry = ModelRepository(models_dir).find("patchcore", 1)
    model = load_artifact(entry, options=RunOptions(batch_tiles=0, lanes=lanes)).model
    assert model.lanes in range(1, lanes + 1)


def test_a_model_that_is_only_served_does_not_hold_its_weights_twice(models_dir: Path) -> None:
    entry = ModelRepository(models_dir).find("patchcore", 1)
    kept, served = (load_artifact(entry, options=RunOptions(keep_weights=each)).model for each in (True, False))
    assert all(parameter.is_meta for parameter in served.detector.backbone.parameters())
    picture = torch.full((3, 100, 90), 128, dtype=torch.uint8)
    assert torch.equal(predict(served, picture).anomaly_map, predict(kept, picture).anomaly_map)


@pytest.mark.parametrize("name", ["patchcore", "padim"])
def test_both_runtimes_say_the_same(models_dir: Path, name: str) -> None:
    entry = ModelRepository(models_dir).find(name, 1)
    picture = torch.randint(0, 256, (3, 150, 130), dtype=torch.uint8)
    own, other = (
        predict(load_artifact(entry, options=RunOptions(runtime)).model, picture).anomaly_map
        for runtime in ("torch", "onnxruntime")
    )
    torch.testing.assert_close(other, own, rtol=1e-4, atol=1e-4 * float(own.max()))
