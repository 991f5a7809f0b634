"""Measures the best number of tiles in a batch, which depends on caches and cores."""

from collections.abc import Callable, Sequence
from time import perf_counter

import torch

from app.pipeline.loops import Loops
from app.pipeline.model import TiledModel
from app.runtime import Precision, Program, peak_bytes
from app.tiling import Size

MOST_TILES = {"cpu": 16, "cuda": 128}
CPU_BYTES = 2**28
GPU_SHARE = 0.25
"""Limits on the memory of the values between layers: bytes on a CPU, a share of the free memory on a GPU."""
REPETITIONS = 5
BUDGET_S = {"cpu": 1.0, "cuda": 10.0}
"""The approximate time limit in seconds; on a GPU a CUDA graph is captured for each number first."""
GAIN = 0.99
"""A larger batch must take at most this share of the time per tile: smaller batches have less latency."""


def best_batch_tiles(model: TiledModel, program: Program, tile_size: Size, loops: Loops) -> int:
    """The power of two with the least time per tile that fits into the memory for a batch."""
    tile_bytes = peak_bytes(program, tile_size, itemsize=4 if model.network.precision is Precision.float32 else 2)
    most = min(MOST_TILES[model.device.type], max(1, _room(model.device) // tile_bytes))
    candidates = [1 << power for power in range(most.bit_length())]
    return fastest(candidates, lambda tiles: loops.seconds_a_tile(model.network, tiles), BUDGET_S[model.device.type])


def fastest(
    candidates: Sequence[int],
    seconds_a_tile: Callable[[int], float],
    budget_s: float,
    clock: Callable[[], float] = perf_counter,
) -> int:
    """The candidate with the least time per tile. Candidates are given in increasing order.

    Candidates run in turn, so that other load on the machine affects all of them, and the best run of each counts. The
    first is always tried; the others only if they are expected to fit into `budget_s`.
    """
    started = clock()
    best: dict[int, float] = {}
    run_s_a_tile = 0.0  # of the fastest run; more than `best` if several threads run at once

    def measure(tiles: int) -> None:
        nonlocal run_s_a_tile
        before = clock()
        best[tiles] = min(best.get(tiles, float("inf")), seconds_a_tile(tiles))
        run_s = (clock() - before) / tiles
        run_s_a_tile = min(run_s_a_tile, run_s) if run_s_a_tile else run_s

    def fits(tiles: int, runs: int) -> bool:
        return clock() - started + runs * tiles * run_s_a_tile <= budget_s

    tried: list[int] = []
    for tiles in candidates:
        if not fits(tiles, runs=2):
            break
        seconds_a_tile(tiles)  # the first run is slower: kernels are chosen, memory is allocated
        measure(tiles)
        tried.append(tiles)
    for _ in range(REPETITIONS - 1):
        for tiles in tried:
            if fits(tiles, runs=1):
                measure(tiles)
    chosen = tried[0]
    for tiles in tried[1:]:
        if best[tiles] < GAIN * best[chosen]:
            chosen = tiles
    return chosen


def _room(device: torch.device) -> int:
    return CPU_BYTES if device.type == "cpu" else int(GPU_SHARE * torch.cuda.mem_get_info(device)[0])
