"""Cases in which anomalib is wrong and Tessera right; see also test_tiler.py for geometry, and test_metrics.py."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from anomalib.data.utils.tiler import ImageUpscaleMode
from anomalib.data.utils.tiler import Tiler as Reference
from anomalib.models.image.padim.torch_model import PadimModel
from anomalib.models.image.patchcore.torch_model import PatchcoreModel
from torch import Tensor

from app.detectors import OnePassDetector, Padim, Patchcore
from app.pipeline import Preprocessing, TiledModel, assembled, predict
from app.tiling import Size, Tiling
from app.tiling.config import TilingMode
from app.training.one_pass import fit
from tests.parity.conftest import without_downloads

SIZE = (300, 300)  # not on the grid of tiles of 256
BLOB = (280, 280)


def noise(count: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return (torch.randn(count, 3, *SIZE, generator=generator) * 4 + 128).to(torch.uint8)


def with_blob() -> Tensor:
    picture = noise(1)[0]
    picture[:, BLOB[0] - 3 : BLOB[0] + 4, BLOB[1] - 3 : BLOB[1] + 4] = 255
    return picture


def normalised(pictures: Tensor) -> Tensor:
    mean, std = (torch.tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return (pictures / 255 - mean) / std


def ours(detector: OnePassDetector, mode: TilingMode) -> TiledModel:
    model = TiledModel(detector, Preprocessing(SIZE), Tiling(tile_size=256, mode=mode))
    stride, plan = detector.feature_strides[0], model.plan(*SIZE)
    fit(model, list(noise(4)), 4, (plan.y.cells(stride), plan.x.cells(stride)), batch_tiles=4)
    return model


def padim(mode: TilingMode) -> tuple[Any, TiledModel]:
    """anomalib's PaDiM and Tessera's, fitted to the same pictures, with the same weights and channels."""
    torch.manual_seed(0)
    with without_downloads():
        theirs: Any = PadimModel("resnet18", ["layer1", "layer2"], pre_trained=True, n_features=20)
    detector = Padim("resnet18", ("layer1", "layer2"), n_features=20)
    return _fitted(theirs, detector, mode, theirs.fit)


def patchcore(mode: TilingMode) -> tuple[Any, TiledModel]:
    """anomalib's PatchCore and Tessera's, fitted to the same pictures, with the same weights."""
    torch.manual_seed(0)
    with without_downloads():
        theirs: Any = PatchcoreModel(["layer1", "layer2"], "resnet18", pre_trained=True)
    detector = Patchcore("resnet18", ("layer1", "layer2"), coreset_sampling_ratio=0.02)
    return _fitted(theirs, detector, mode, lambda: theirs.subsample_embedding(0.02))


def _fitted(
    theirs: Any, detector: OnePassDetector, mode: TilingMode, end: Callable[[], None]
) -> tuple[Any, TiledModel]:
    detector.get_submodule("backbone").load_state_dict(theirs.feature_extractor.feature_extractor.state_dict())
    if isinstance(detector, Padim):
        detector.choose(theirs.idx)
    theirs.tiler = Reference(256, 256, mode=ImageUpscaleMode(mode))
    theirs.train()
    with torch.no_grad():
        theirs(normalised(noise(4)))
        end()
    theirs.eval()
    return theirs, ours(detector, mode)


def peak(anomaly_map: Tensor) -> Size:
    return divmod(int(anomaly_map.argmax()), anomaly_map.shape[-1])


def offset(found: Size) -> int:
    return max(abs(found[0] - BLOB[0]), abs(found[1] - BLOB[1]))


@pytest.mark.filterwarnings("ignore:Argument embeddings:DeprecationWarning")  # anomalib causes it
@pytest.mark.parametrize("pair", [padim, patchcore])
def test_a_blob_off_the_grid_is_reported_at_its_place(pair: Callable[[TilingMode], tuple[Any, TiledModel]]) -> None:
    theirs, model = pair(TilingMode.padding)
    with torch.inference_mode():
        reference_peak = peak(theirs(normalised(with_blob()[None])).anomaly_map[0, 0])
    assert offset(reference_peak) > 100
    assert offset(peak(predict(model, with_blob(), 4).anomaly_map)) <= model.detector.stride


def test_a_stretched_picture_has_one_gaussian_per_cell_and_not_per_pixel() -> None:
    theirs, model = padim(TilingMode.interpolation)
    assert theirs.gaussian.mean.shape[1] == 300 * 300
    assert isinstance(model.detector, Padim)
    assert model.detector.mean.shape[:2] == (512 // 4, 512 // 4)
    assert offset(peak(predict(model, with_blob(), 4).anomaly_map)) <= model.detector.stride


def test_pictures_of_several_sizes_can_be_in_flight_at_once() -> None:
    """anomalib's tiler keeps the size of the last picture only, and fails for earlier pictures of other sizes."""
    theirs, model = padim(TilingMode.padding)
    theirs.tiler.tile(normalised(noise(1)))
    embeddings = torch.zeros(4, 1, 64, 64)
    theirs.tiler.tile(torch.zeros(1, 3, 600, 900))
    with pytest.raises(RuntimeError):
        theirs.tiler.untile(embeddings)
    prepared = [model.prepare(noise(1)[0]), model.prepare(with_blob())]
    outputs = [list(model.outputs(each, 2)) for each in prepared]
    expected = [predict(model, picture, 2) for picture in (noise(1)[0], with_blob())]
    for each, features, outcome in zip(prepared, outputs, expected, strict=True):
        assert torch.equal(assembled(model, features, each).anomaly_map, outcome.anomaly_map)
