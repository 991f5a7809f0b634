"""The choice of how a loaded model is run."""

from pathlib import Path

import pytest
import torch

from app.api.schemas.execution import ExecutionBody
from app.artifacts import Entry, ModelRecord, ModelRepository, load_artifact, write_artifact
from app.artifacts.manifest import GoldenRecord
from app.artifacts.tuning import tuned
from app.detectors import DETECTORS, Features, Patchcore, SearchChoice, SearchMethod, SearchMode
from app.detectors.bounded import QUERIES_AT_ONCE, fast_codes
from app.detectors.search import FEWEST_ROWS
from app.errors import GoldenMismatch, InvalidDevice
from app.pipeline import Preprocessing, TiledModel, predict
from app.runtime import Candidate, Precision, RunOptions
from app.runtime.hardware import fast_precision
from app.scoring import calibrate_on_normal
from app.tiling import Tiling

CPU = torch.device("cpu")
FAST = fast_precision(CPU)
DRAWN = ModelRecord("imported", 0, None, "drawn", 0, "random")
needs_fast = pytest.mark.skipif(FAST is None, reason="this processor computes float32 only")


@needs_fast
def test_auto_chooses_the_fast_precision_if_it_reproduces_the_golden_sample(models_dir: Path) -> None:
    entry = ModelRepository(models_dir).find("patchcore", 1)
    exact, fast = (
        load_artifact(entry, options=RunOptions(precision=each)).model for each in (Precision.float32, "auto")
    )
    assert fast.network.precision == FAST
    picture = load_artifact(entry).golden.picture
    expected, found = (predict(model, picture).anomaly_map for model in (exact, fast))
    assert not torch.equal(found, expected)
    assert float((found - expected).abs().max()) <= 2e-2 * float(expected.max())


@needs_fast
@pytest.mark.parametrize("precision", ["auto", FAST])
def test_if_the_fast_precision_fails_auto_uses_float32_and_others_are_refused(models_dir: Path, precision: str) -> None:
    entry = ModelRepository(models_dir).find("patchcore", 1)
    artifact = load_artifact(entry)
    model, golden = artifact.model, artifact.golden
    record = GoldenRecord(tolerance=1e-3, reduced_precision_tolerance=1e-6)
    options = RunOptions(precision=precision)  # type: ignore[arg-type]  # parametrised
    if precision == "auto":
        assert tuned(model, golden, record, options).network.precision == "float32"
    else:
        with pytest.raises(GoldenMismatch, match=rf"{FAST}.* 1e-06"):
            tuned(model, golden, record, options)


def test_the_number_of_tiles_is_measured_unless_it_is_given(models_dir: Path) -> None:
    entry = ModelRepository(models_dir).find("patchcore", 1)
    assert load_artifact(entry, options=RunOptions(batch_tiles=5)).model.batch_tiles == 5
    assert load_artifact(entry, options=RunOptions(batch_tiles=0)).model.batch_tiles in (1, 2, 4, 8, 16)


def test_the_fastest_candidate_that_reproduces_the_golden_sample_is_chosen(models_dir: Path) -> None:
    entry = ModelRepository(models_dir).find("patchcore", 1)
    model = load_artifact(entry, options=RunOptions(precision="auto", batch_tiles=0)).model
    ran = Candidate(model.network.precision, model.network.kernels)
    if len(model.execution.trials) > 1:
        assert ran == model.execution.trials[0].candidate
        assert all(trial.seconds > 0 for trial in model.execution.trials)
    assert not load_artifact(entry).model.execution.trials


@pytest.mark.parametrize("lanes", [1, 2])
def test_a_model_uses_at_most_the_given_number_of_lanes(models_dir: Path, lanes: int) -> None:
    entry = ModelRepository(models_dir).find("patchcore", 1)
    model = load_artifact(entry, options=RunOptions(batch_tiles=0, lanes=lanes)).model
    assert model.execution.lanes in range(1, lanes + 1)


@pytest.mark.parametrize(
    ("mode", "measured"), [(SearchMode.auto, 0), (SearchMode.approximate, 0), (SearchMode.exact, None)]
)
def test_the_search_has_the_requested_mode(tmp_path: Path, mode: SearchMode, measured: int | None) -> None:
    detector = Patchcore("resnet18", ("layer1",))
    detector.memory_bank = torch.rand(FEWEST_ROWS, detector.embedding_size)
    model = TiledModel(detector, Preprocessing(None), Tiling(tile_size=64), calibrate_on_normal([1.0], [1.0], 0.05))
    entry = write_artifact(
        model, ModelRepository(tmp_path), "own", ModelRecord("imported", 0, None, "drawn", 0, "random")
    )
    search = load_artifact(entry, options=RunOptions(search=mode, batch_tiles=measured)).model.detector.search
    assert search is not None
    assert (search.mode, search.method) == (mode, "bounds")
    assert search.codes in {str(codes).removeprefix("torch.") for codes in fast_codes()}
    assert search.queries_at_once in QUERIES_AT_ONCE


def test_only_patchcore_has_a_search(models_dir: Path) -> None:
    repository = ModelRepository(models_dir)
    assert load_artifact(repository.find("padim", 1)).model.detector.search is None
    small = load_artifact(repository.find("patchcore", 1)).model.detector.search
    assert small == SearchChoice(SearchMode.auto, SearchMethod.blocks)


class Pooled(Patchcore):
    """A detector whose network has a module that runtimes do not know."""

    def network(self, tiles: torch.Tensor) -> Features:
        return tuple(self.backbone(self.smooth(tiles)).values())

    @property
    def smooth(self) -> torch.nn.Module:
        return torch.nn.AvgPool2d(3, 1, 1)


class Branching(Patchcore):
    """A detector whose network depends on the values of its input and therefore cannot be traced."""

    def network(self, tiles: torch.Tensor) -> Features:
        return super().network(tiles if tiles.mean() < 0 else 2 * tiles)


@pytest.fixture(params=[Pooled, Branching])
def untraceable(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Entry:
    monkeypatch.setitem(DETECTORS, "patchcore", request.param)
    detector = request.param("resnet18", ("layer1",), num_neighbors=1)
    detector.memory_bank = torch.rand(50, detector.embedding_size)
    model = TiledModel(detector, Preprocessing(None), Tiling(tile_size=64), calibrate_on_normal([1.0], [1.0], 0.05))
    return write_artifact(
        model, ModelRepository(tmp_path), "own", ModelRecord("imported", 0, None, "drawn", 0, "random")
    )


@pytest.mark.parametrize("batch_tiles", [None, 0, 3])
def test_a_network_that_cannot_be_traced_is_run_by_its_modules(
    untraceable: Entry, batch_tiles: int | None, caplog: pytest.LogCaptureFixture
) -> None:
    options = RunOptions(precision="auto", batch_tiles=batch_tiles, keep_weights=False)
    artifact = load_artifact(untraceable, options=options)
    execution = artifact.model.execution
    assert (execution.network.kernels, execution.network.precision) == ("modules", "float32")
    assert execution.fallback and execution.fallback in caplog.text
    assert ExecutionBody.of(artifact).fallback == execution.fallback
    assert predict(artifact.model, torch.full((3, 100, 90), 128, dtype=torch.uint8)).raw_score > 0


def test_a_network_that_cannot_be_traced_is_refused_in_other_precisions(untraceable: Entry) -> None:
    with pytest.raises(InvalidDevice, match=r"bfloat16.*float32"):
        load_artifact(untraceable, options=RunOptions(precision=Precision.bfloat16))


def test_without_kept_weights_parameters_are_freed_and_maps_stay_the_same(models_dir: Path) -> None:
    entry = ModelRepository(models_dir).find("patchcore", 1)
    kept, served = (load_artifact(entry, options=RunOptions(keep_weights=each)).model for each in (True, False))
    assert all(parameter.is_meta for parameter in served.detector.get_submodule("backbone").parameters())
    picture = torch.full((3, 100, 90), 128, dtype=torch.uint8)
    assert torch.equal(predict(served, picture).anomaly_map, predict(kept, picture).anomaly_map)
