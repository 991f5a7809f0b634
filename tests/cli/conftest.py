from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from app.backbones import ResNet
from tests.conftest import draw_surface


@pytest.fixture
def surfaces(tmp_path: Path) -> Path:
    """A folder with the data set `data/steel` in MVTec AD's layout, without test pictures, and backbone weights."""
    for number in range(5):
        path = tmp_path / "data/steel/train/good" / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(draw_surface(number)).save(path)
    torch.manual_seed(0)
    save_file(ResNet("resnet18", ("layer1", "layer2", "layer3")).state_dict(), tmp_path / "r18.safetensors")
    return tmp_path
