"""Detectors whose batch norms have random weights and statistics."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from app.detectors import DETECTORS, Detector

Build = Callable[[str, str], Detector]


def _build(name: str, backbone: str) -> Detector:
    torch.manual_seed(0)
    options = {"n_features": 10} if name == "padim" else {}
    detector = DETECTORS[name](backbone=backbone, **options)
    for module in detector.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in ((module.weight, 0.5, 1.5), (module.bias, -0.2, 0.2)):
                nn.init.uniform_(tensor, low, high)
            assert module.running_mean is not None and module.running_var is not None
            module.running_mean.uniform_(-0.2, 0.2)
            module.running_var.uniform_(0.5, 1.5)
    return detector.requires_grad_(False).eval()


@pytest.fixture
def build() -> Build:
    """A function that makes a detector by its name and its backbone's, with random weights and statistics."""
    return _build
