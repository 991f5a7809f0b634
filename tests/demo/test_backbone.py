from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from app.backbones import ResNet, load_weights
from scripts.demo.backbone import Recipe, save_backbone, train_backbone


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The tensors are so small that several threads would mostly wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def test_trained_weights_load_into_the_product(tmp_path: Path) -> None:
    trained = train_backbone(Recipe(steps=3, per_family=1, crop=32))
    save_backbone(trained, tmp_path / "backbone.safetensors")

    loaded = ResNet("resnet18", layers=("layer2", "layer3"))
    load_weights(loaded, tmp_path / "backbone.safetensors")

    image = torch.randn(1, 3, 64, 64)
    for layer, features in loaded.eval()(image).items():
        assert features.dtype == torch.float32
        torch.testing.assert_close(features, trained(image)[layer], atol=0.02, rtol=0.02)  # half precision
    assert (tmp_path / "backbone.safetensors").stat().st_size <= 6e6
