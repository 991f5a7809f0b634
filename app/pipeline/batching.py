"""How many tiles a model runs at once: measured, for caches and cores differ."""

from time import perf_counter

import torch

from app.pipeline.model import TiledModel
from app.runtime import Program, peak_bytes

MOST_TILES = {"cpu": 16, "cuda": 128}
CPU_BYTES = 2**28
GPU_SHARE = 0.25
"""How much memory the values between the layers of a batch may take: on a GPU, of what is free."""
REPETITIONS = 3
GAIN = 0.97
"""More tiles at once are taken only where they are faster by this: fewer answer sooner."""


def best_batch_tiles(model: TiledModel, program: Program) -> int:
    """The number of tiles, a power of two, that takes the least time a tile, within the memory for a batch.

    Where the size of what the network is given depends on the picture, the usual number.
    """
    if model.tile_size is None:
        return model.batch_tiles
    tile_bytes = peak_bytes(program, model.tile_size, itemsize=4 if model.network.precision == "float32" else 2)
    most = min(MOST_TILES[model.device.type], max(1, _room(model.device) // tile_bytes))
    best, best_s, tiles = 1, float("inf"), 1
    while tiles <= most:
        seconds = _seconds(model, tiles) / tiles
        if seconds < GAIN * best_s:
            best, best_s = tiles, seconds
        tiles *= 2
    return best


def _room(device: torch.device) -> int:
    return CPU_BYTES if device.type == "cpu" else int(GPU_SHARE * torch.cuda.mem_get_info(device)[0])


def _seconds(model: TiledModel, tiles: int) -> float:
    """The shortest of a few runs, after one to warm up."""
    assert model.tile_size is not None
    batch = torch.zeros(tiles, 3, *model.tile_size, device=model.device)
    times = []
    for _ in range(REPETITIONS + 1):
        started = perf_counter()
        model.run(batch)
        if model.device.type == "cuda":
            torch.cuda.synchronize(model.device)
        times.append(perf_counter() - started)
    return min(times[1:])
