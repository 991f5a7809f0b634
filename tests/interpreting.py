"""Searches by Triton's kernels on a CPU, in a process whose Triton interprets them instead of compiling."""

import os
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

Array = NDArray[np.float32]
SMALL = {"QUERIES": 16, "ROWS": 16, "CHUNK": 64}
"""Blocks of sizes that a test of few points has many of, and that an interpreter is done with in time."""


class InterpretedSearch:
    """Runs one search at a time; `with` ends its process."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), _interpret)

    def __enter__(self) -> "InterpretedSearch":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def nearest(
        self, queries: Tensor, bank: Tensor, tolerance: float = 0.0, blocks: Mapping[str, int] = SMALL
    ) -> tuple[Tensor, Tensor]:
        """What `GroupedSearch` finds with blocks of these sizes, the others as they are."""
        distances, index = self._pool.submit(_nearest, queries.numpy(), bank.numpy(), tolerance, dict(blocks)).result()
        return torch.from_numpy(distances), torch.from_numpy(index)


def _interpret() -> None:
    os.environ["TRITON_INTERPRET"] = "1"  # read when triton is imported
    torch.set_num_threads(1)


def _nearest(queries: Array, bank: Array, tolerance: float, blocks: dict[str, int]) -> tuple[Array, NDArray[np.int64]]:
    from app.detectors import grouped_search

    with torch.inference_mode(), pytest.MonkeyPatch.context() as patch:
        for name, size in blocks.items():
            patch.setattr(grouped_search, name, size)
        search = grouped_search.GroupedSearch(torch.from_numpy(bank), tolerance)
        distances, index = search.nearest(torch.from_numpy(queries))
    return distances.numpy(), index.numpy()
