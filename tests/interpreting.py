"""Runs the search's Triton kernels on a CPU, in a process in which Triton interprets kernels instead of compiling."""

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
"""Block sizes so small that few points fill several blocks, and that the interpreter is fast enough."""


class InterpretedSearch:
    """Runs searches one at a time in a process of its own, which ends with the `with` block."""

    def __init__(self) -> None:
        self._pool = ProcessPoolExecutor(1, get_context("spawn"), _interpret)

    def __enter__(self) -> "InterpretedSearch":
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()

    def nearest(
        self, queries: Tensor, bank: Tensor, tolerance: float = 0.0, blocks: Mapping[str, int] = SMALL
    ) -> tuple[Tensor, Tensor]:
        """The distances and rows that `GroupedSearch` finds with these block sizes; other sizes keep their values."""
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
