"""What a rate of pictures needs, from the measured figures and the costs by which the server admits pictures."""

from dataclasses import dataclass
from math import ceil

from app.admission import HEATMAP_BYTES, Cost, cost_of
from app.admission.budgets import WORK_SHARE
from app.admission.memory import SHARE
from app.pipeline import TiledModel
from app.sizing.figures import Figures
from app.sizing.measurement import FileFormat
from app.sizing.work import Demand, work_of

BUSY_SHARE = 0.7
"""The share of the time for which processors and cards are busy at the given rate. At 0.7 a picture that comes at a
random time waits for about as long as one picture takes; at 0.9 for over four times as long (a queue with one server
and equal times).
"""
FILE_BYTES = {FileFormat.png: 3, FileFormat.jpeg: 1}
"""The most bytes of a file for each pixel of a picture: PNG may not compress noise."""
SERVER_BYTES = 100 * 2**20
"""The memory of HTTP, the event loop and the processes that decode, beside that of a process that predicts: 56 MiB were
measured after a dozen requests, and the rest is a reserve.
"""


@dataclass(frozen=True, slots=True)
class Need:
    """What a demand needs.

    cost: what one picture costs, as the server computes it before it admits the picture
    tiles_per_s: the tiles to compute in a second
    compute_busy, decode_busy: the processors (on a GPU: the cards, and the processors) that are busy on average;
        drawing counts as decoding
    units: the processors or cards that compute
    decoders: the processors that decode and draw; 0 on a CPU, where `units` includes them
    in_work: the pictures that are decoded, computed or drawn at the same time
    memory_bytes: the memory of the server
    free_bytes: the least memory that is free at the start, so that `max_work_bytes` 0 admits the picture
    device_bytes: the memory on each card; 0 for a CPU
    """

    cost: Cost
    tiles_per_s: float
    compute_busy: float
    decode_busy: float
    units: int
    decoders: int
    in_work: int
    memory_bytes: int
    free_bytes: int
    device_bytes: int


def need_of(model: TiledModel, figures: Figures, demand: Demand, processors: int) -> Need:
    """What the demand needs. `processors`: those on which the figures were measured."""
    height, width = demand.size
    file_bytes = FILE_BYTES[demand.format] * height * width
    plan, work = model.plan(height, width), work_of(model, figures, demand)
    cost = cost_of(model, plan, demand.size, None, file_bytes=file_bytes, drawn_bytes=HEATMAP_BYTES)
    on_cpu = work.on_cpu
    compute = demand.rate * work.device_s * (processors if on_cpu else 1)
    decoding = demand.rate * (work.decode_s + work.render_s)
    units = ceil((compute + decoding if on_cpu else compute) / BUSY_SHARE)
    decoders = 0 if on_cpu else ceil(decoding / BUSY_SHARE)
    in_work = 2 * max(figures.lanes, 1) + max(ceil(decoding), 1)  # one computed, one waiting; those being decoded
    return Need(
        cost,
        demand.rate * cost.tiles,
        compute,
        decoding,
        max(units, 1),
        decoders if on_cpu else max(decoders, 1),
        in_work,
        figures.resident_bytes + SERVER_BYTES + in_work * cost.memory_bytes,
        ceil(cost.memory_bytes / SHARE / WORK_SHARE),
        figures.device_bytes,
    )
