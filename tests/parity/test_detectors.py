"""Maps and scores of imported models of all detectors equal anomalib's wherever anomalib works."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from anomalib import models
from anomalib.data.utils.tiler import Tiler as Reference
from anomalib.pre_processing import PreProcessor
from torch import Tensor, nn
from torchvision.transforms import v2

from app.artifacts import ModelRepository, load_artifact
from app.importing import Choices, import_model
from app.pipeline import TiledModel, predict
from app.tiling import Size, Tiling
from tests.parity.conftest import measure_exactly, without_downloads

SIZE = (512, 256)
TOLERANCE = 1e-4  # of the map's largest value
TILINGS = [
    Tiling(tile_size=256, stride=256),
    Tiling(tile_size=256, stride=128),
    Tiling(tile_size=[128, 64], stride=64),
    Tiling(enable=False),
]
CLASSES: dict[str, Callable[..., Any]] = {
    "padim": models.Padim,
    "patchcore": models.Patchcore,
    "stfpm": models.Stfpm,
    "reverse_distillation": models.ReverseDistillation,
}
OPTIONS: dict[str, dict[str, object]] = {"padim": {"n_features": 20}}


def randomise(module: nn.Module, generator: torch.Generator) -> None:
    """Replaces the weights, biases and variances of batch norms, which are trivial in a new network, by random ones."""
    for norm in module.modules():
        if isinstance(norm, nn.BatchNorm2d):
            for tensor, low, high in ((norm.weight, 0.5, 1.5), (norm.bias, -0.2, 0.2), (norm.running_var, 0.5, 1.5)):
                assert tensor is not None
                tensor.data.uniform_(low, high, generator=generator)


def fit_statistics(name: str, network: Any, size: Size, generator: torch.Generator) -> None:
    """Fits Gaussians or a memory bank to the network's embeddings of three random pictures."""
    if name not in ("padim", "patchcore"):
        return
    network.train()
    with torch.no_grad():
        for _ in range(3):
            network(torch.rand(1, 3, *size, generator=generator) * 4 - 2)
    if name == "padim":
        network.fit()
    else:
        network.subsample_embedding(0.02)
    network.eval()


def saved(name: str, tiling: Tiling, path: Path) -> Any:
    """A module of anomalib's with this tiling; writes its checkpoint to `path`."""
    generator = torch.Generator().manual_seed(1)
    torch.manual_seed(0)
    normalise = v2.Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225])
    processor = PreProcessor(transform=v2.Compose([v2.Resize(SIZE, antialias=True), normalise]))
    with without_downloads():
        module = CLASSES[name](backbone="resnet18", pre_processor=processor, **OPTIONS.get(name, {}))
    randomise(module, generator)
    module.model.tiler = Reference(tiling.tile_size, tiling.stride) if tiling.enable else None
    module.eval()
    fit_statistics(name, module.model, SIZE, generator)
    if hasattr(module, "_is_fitted"):
        module._is_fitted.fill_(True)
    post = module.post_processor
    for number in ("_image_threshold", "_pixel_threshold", "image_max", "pixel_max"):
        setattr(post, number, torch.tensor(2.0))
    post.image_min, post.pixel_min = torch.tensor(0.0), torch.tensor(0.0)
    content = {"state_dict": module.state_dict(), "hyper_parameters": dict(module.hparams), "epoch": 1}
    content["pytorch-lightning_version"] = "2.6.6"
    module.on_save_checkpoint(content)
    torch.save(content, path)
    measure_exactly(module)
    return module


def pictures() -> Tensor:
    """Three surfaces with a stain in different places, [3,3,H,W] uint8."""
    generator = torch.Generator().manual_seed(7)
    found = (torch.randn(3, 3, *SIZE, generator=generator) * 20 + 128).clamp(0, 255)
    for number, (top, left) in enumerate(((30, 40), (250, 120), (480, 200))):
        found[number, :, top : top + 24, left : left + 32] = 255 - 40 * number
    return found.to(torch.uint8)


@pytest.mark.filterwarnings("ignore:Argument embeddings:DeprecationWarning")  # anomalib causes it
@pytest.mark.parametrize("tiling", TILINGS, ids=["256-256", "256-128", "128x64-64", "whole"])
@pytest.mark.parametrize("name", sorted(CLASSES))
def test_maps_and_scores_equal_the_references(name: str, tiling: Tiling, tmp_path: Path) -> None:
    module = saved(name, tiling, tmp_path / "model.ckpt")
    entry = import_model(tmp_path / "model.ckpt", ModelRepository(tmp_path), name, Choices(tiling)).entry
    model: TiledModel = load_artifact(entry).model
    batch = pictures()
    for chosen in (batch[:1], batch):
        with torch.inference_mode():
            expected = module.model(module.pre_processor.transform(chosen / 255))
        for picture, expected_map, score in zip(chosen, expected.anomaly_map[:, 0], expected.pred_score, strict=True):
            outcome = predict(model, picture, 3)
            largest = float(expected_map.max())
            assert float((outcome.anomaly_map - expected_map).abs().max()) <= TOLERANCE * largest
            assert outcome.raw_score == pytest.approx(float(score), rel=TOLERANCE)
