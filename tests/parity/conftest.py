"""Comparisons with the reference library, anomalib; `make parity` installs it into an environment of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from benchmarks.reference import import_anomalib


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
