"""Wide pictures: strips change no result, and memory grows only by the picture, its distances and its map."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.multiprocessing.reductions import StorageWeakRef
from torch.nn import functional as F
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from app.detectors import DETECTORS, Features, Patchcore, Subspace
from app.detectors.moments import Moments
from app.pipeline import Execution, Preprocessing, Roi, TiledModel, predict
from app.pipeline.assembly import Assembly, completed
from app.runtime import Eager
from app.tiling import STRIP_PIXELS, Size, Tiling, TilingMode
from app.training.one_pass import fit
from tests.pipeline.conftest import Build, noise

TILING = Tiling(tile_size=64, stride=32, mode=TilingMode.cover)
CACHES = 2**17
"""Bytes of the weights that are kept for later pictures: a bounded number of small matrices."""
Strips = Callable[[int], None]


@pytest.fixture
def strips(monkeypatch: pytest.MonkeyPatch) -> Strips:
    """A function that sets the largest width of a strip in pixels."""
    return lambda width: monkeypatch.setattr("app.pipeline.model.STRIP_PIXELS", width)


@pytest.mark.parametrize("name", sorted(DETECTORS))
@pytest.mark.parametrize("roi", [None, Roi(10, 70, 60, 190)])
def test_strips_change_no_outcome(build: Build, strips: Strips, name: str, roi: Roi | None) -> None:
    size = 80, 300
    model, picture = build(name, TILING, size), noise(1, size)[0]
    expected = predict(model, picture, 4, roi)
    strips(96)
    assert len(model.plan(*size, roi).strips) > 1
    found = predict(model, picture, 4, roi)
    torch.testing.assert_close(found.anomaly_map, expected.anomaly_map, rtol=1e-4, atol=1e-4)
    assert found.raw_score == pytest.approx(expected.raw_score, rel=1e-4)


@pytest.mark.parametrize("name", ["padim", "subspace"])
def test_a_detector_is_fitted_to_strips_as_to_whole_pictures(build: Build, strips: Strips, name: str) -> None:
    size = 80, 200
    expected = build(name, TILING, size).detector.state_dict()
    strips(64)
    for key, found in build(name, TILING, size).detector.state_dict().items():
        if name == "padim" or key in ("mean", "variances"):  # axes have no sign
            torch.testing.assert_close(found, expected[key], rtol=1e-3, atol=1e-4)


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's
    """Counts the bytes of the tensors that are alive after each operation; `peak` is the largest number."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's
        self._live: dict[int, tuple[StorageWeakRef, int]] = {}
        self._most = self.peak = 0  # `_most`: with tensors that are gone, but not yet noticed

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for each in tree_leaves(result):
            if isinstance(each, Tensor):
                storage = each.untyped_storage()
                _, known = self._live.get(storage.data_ptr(), (None, 0))
                reference = StorageWeakRef(storage)  # type: ignore[no-untyped-call]  # torch's
                self._live[storage.data_ptr()] = reference, storage.nbytes()
                self._most += storage.nbytes() - known
        if self._most > self.peak:
            gone = [at for at, (each, _) in self._live.items() if each.expired()]  # type: ignore[no-untyped-call]  # torch's
            for at in gone:
                del self._live[at]
            self._most = sum(size for _, size in self._live.values())
            self.peak = max(self.peak, self._most)
        return result


class Cheap(Eager):
    """Means of 8 x 8 pixels instead of a network's features."""

    def __call__(self, tiles: Tensor) -> Features:
        return (F.avg_pool2d(tiles, 8).repeat(1, 43, 1, 1)[:, :128],)


def cheap(tiling: Tiling, patchcore: bool = False) -> TiledModel:
    """A model with features of 128 channels, fitted to nothing."""
    torch.manual_seed(0)
    detector = (Patchcore if patchcore else Subspace)("resnet18", ("layer2",))
    if isinstance(detector, Patchcore):
        detector.memory_bank = torch.rand(64, 128)
    else:
        moments = Moments(128, torch.device("cpu"))
        moments.count, moments.scatter = 2, torch.eye(128, dtype=torch.float64)
        detector.set_distribution(moments)
    return TiledModel(detector, Preprocessing(), tiling, execution=Execution(Cheap(detector), 4))


def peaks(model: TiledModel, size: Size) -> tuple[int, int]:
    """The peak bytes while a picture is measured, and after that; without those of the picture, distances and map."""
    prepared = model.prepare(torch.zeros(1, *size, dtype=torch.uint8))
    with LiveBytes() as measuring:
        assembly = Assembly(model, prepared)
        for features in model.outputs(prepared):
            for _ in assembly.add(features):
                pass
    distances = sum(each.nbytes for each in assembly.distances)
    with LiveBytes() as mapping:
        outcome = completed(assembly.finish())
    return measuring.peak - distances - prepared.pixels.nbytes, mapping.peak - distances - outcome.anomaly_map.nbytes


@pytest.mark.parametrize("patchcore", [False, True])
@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("edge", [1, 150])
def test_memory_does_not_grow_with_the_width_or_height(
    monkeypatch: pytest.MonkeyPatch, strips: Strips, patchcore: bool, wide: bool, edge: int
) -> None:
    strips(128)
    monkeypatch.setattr("app.scoring.anomaly_map.ROWS", 64)
    monkeypatch.setattr("app.scoring.anomaly_map.BAND_COLUMNS", 64)
    model = cheap(TILING, patchcore)
    usual, large = (peaks(model, (edge, length) if wide else (length, edge)) for length in (400, 1600))
    for before, after in zip(usual, large, strict=True):
        assert after <= 1.05 * before + CACHES


def test_memory_of_a_fit_does_not_grow_with_the_width(strips: Strips) -> None:
    strips(128)
    model, found = cheap(TILING), []
    for width in (400, 1600):
        picture = torch.zeros(1, 70, width, dtype=torch.uint8)
        with LiveBytes() as live:
            fit(model, [picture, picture], 2, (9, width // 8), 4)
        found.append(live.peak - picture.nbytes)
    assert found[1] <= 1.05 * found[0] + CACHES


def test_the_plan_tells_how_much_is_stitched_at_once() -> None:
    plan = cheap(Tiling(tile_size=256, stride=128)).plan(1, 300_000)
    assert plan.covered_size == (256, 300_032)
    assert plan.stitched_size[0] == 256 and plan.stitched_size[1] <= STRIP_PIXELS + 128
    assert plan.count - plan.distinct == len(plan.strips) - 1
