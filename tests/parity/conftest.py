"""Comparisons with the reference library, anomalib; `make parity` installs it into an environment of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from benchmarks.reference import import_anomalib
from tests.conftest import draw_surface


@contextmanager
def without_downloads() -> Iterator[None]:
    """Makes timm create networks with random weights where anomalib requests pretrained ones."""
    import timm

    create = timm.create_model
    timm.create_model = lambda *args, **options: create(*args, **{**options, "pretrained": False})
    try:
        yield
    finally:
        timm.create_model = create


def measure_exactly(module: Any) -> None:
    """Makes a PatchCore of anomalib's compute its distances in float64.

    anomalib computes them as differences of squares. In float32 these cancel where patches are close, by more than the
    tolerance of the tests.
    """
    if hasattr(module.model, "euclidean_dist"):
        module.model.euclidean_dist = _distances


def _distances(x: Tensor, y: Tensor) -> Tensor:
    exact = torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist")
    return exact.to(x.dtype)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six surfaces, and two with stains and their masks."""
    root = tmp_path_factory.mktemp("pictures")
    for kind in ("good", "bad", "masks"):
        (root / kind).mkdir()
    for seed in range(6):
        Image.fromarray(draw_surface(seed, 64, 96)).save(root / "good" / f"{seed}.png")
    for seed in range(2):
        picture, mask = draw_surface(10 + seed, 64, 96), np.zeros((64, 96), np.uint8)
        picture[20:40, 30:50], mask[20:40, 30:50] = (255, 0, 0), 255
        Image.fromarray(picture).save(root / "bad" / f"{seed}.png")
        Image.fromarray(mask).save(root / "masks" / f"{seed}.png")
    return root


class WithoutReference(pytest.Module):
    """Stands for a test module where anomalib is not installed, and skips it."""

    def collect(self) -> list[pytest.Item | pytest.Collector]:
        pytest.skip("anomalib is not installed; `make parity` runs these tests", allow_module_level=True)


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> pytest.Module | None:
    """Skips every module of this folder, before it imports anything, where anomalib is absent."""
    if find_spec("anomalib") is None:
        module: pytest.Module = WithoutReference.from_parent(parent, path=module_path)
        return module
    return None


if find_spec("anomalib") is not None:
    import_anomalib()
