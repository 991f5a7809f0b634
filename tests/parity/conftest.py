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
    """Lets timm make networks with random weights where anomalib asks for pretrained ones."""
    import timm

    create = timm.create_model
    timm.create_model = lambda *args, **options: create(*args, **{**options, "pretrained": False})
    try:
        yield
    finally:
        timm.create_model = create


def measure_exactly(module: Any) -> None:
    """Lets a PatchCore of anomalib's compute its distances in float64.

    They are differences of squares, which cancel in float32 where patches are close: by more than what is tested.
    """
    if hasattr(module.model, "euclidean_dist"):
        module.model.euclidean_dist = _distances


def _distances(x: Tensor, y: Tensor) -> Tensor:
    exact = torch.cdist(x.double(), y.double(), compute_mode="donot_use_mm_for_euclid_dist")
    return exact.to(x.dtype)


class WithoutReference(pytest.Module):
    """A module of comparisons where there is nothing to compare with."""

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
