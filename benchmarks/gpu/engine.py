"""Tiles per second of the engine, of its variants, and of the raw network in half precision on the same tiles.

The engine is the scheduler with one owner of the device: its input is pictures in memory, its output is maps. The raw
network runs tiles that are on the device already, without preparation and post-processing.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from functools import partial
from time import monotonic, perf_counter

import torch

from app.admission import Ticket, TileQueue
from app.pipeline import TiledModel
from app.pipeline.transfer import Uploader
from app.runtime import Network, trace
from app.runtime.plain import plain_network
from app.runtime.program import Convolution
from app.runtime.shapes import shapes
from app.scheduling import DeviceWorker, Done, Job
from benchmarks.gpu.models import NAMES
from benchmarks.gpu.setting import Setting, pictures

IN_FLIGHT = 48
"""The number of pictures that wait or run, so that the engine is never idle."""
RAW_TILES = {"cuda": (64, 128, 256), "cpu": (2, 8)}


def run(setting: Setting) -> None:
    """Measures for each detector the raw network, the engine, and the engine without some of its parts."""
    for name in NAMES:
        model = setting.load(name, setting.half).model
        raw = raw_tiles_per_s(setting, model)
        found = _variants(setting, model)
        stages = _stages(setting, model)
        flop = flop_a_tile(model)
        best = max(raw.values())
        setting.results.add(
            name,
            {
                "precision": model.network.precision,
                "batch_tiles": model.batch_tiles,
                "flop_a_tile": flop,
                "raw_tiles_per_s": raw,
                "tiles_per_s": found,
                "share_of_raw": found["engine"] / best,
                "stage_s_a_tile": stages,
            },
        )
        del model


@torch.inference_mode()
def raw_tiles_per_s(setting: Setting, model: TiledModel) -> dict[str, float]:
    """Tiles per second of the network alone, as the engine runs it and without CUDA graphs, by the number of tiles."""
    assert model.tile_size is not None
    plain = plain_network(trace(model.detector), model.network.precision)
    found: dict[str, float] = {}
    for tiles in RAW_TILES[setting.device.type]:
        given = torch.randn(tiles, 3, *model.tile_size, device=setting.device)
        networks: dict[str, Network] = {"as run": model.network, "plain": plain}
        runs: dict[str, Callable[[], object]] = {
            f"{kind}, {tiles} tiles": _call(network, given) for kind, network in networks.items()
        }
        found |= {kind: tiles / seconds for kind, seconds in setting.in_turn(runs, setting.scale.seconds / 4).items()}
    return found


def _call(network: Network, tiles: torch.Tensor) -> Callable[[], object]:
    return lambda: network(tiles)


def _variants(setting: Setting, model: TiledModel) -> dict[str, float]:
    """Tiles per second of the engine, and of the engine with one part changed: medians of rounds that run in turn."""
    program, precision = trace(model.detector), model.network.precision
    networks: dict[str, Network] = {"engine": model.network}
    if setting.device.type == "cuda":
        networks["without graphs"] = plain_network(program, precision)
        contiguous = plain_network(program, precision, memory_format=torch.contiguous_format)
        networks["without graphs, contiguous"] = contiguous
    runs: dict[str, Callable[[], float]] = {
        name: partial(_engine, setting, model, network) for name, network in networks.items()
    }
    if setting.device.type == "cuda":
        runs["without copy stream"] = partial(_on_one_stream, setting, model)
    found: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(setting.scale.rounds):
        for name, tiles_per_s in runs.items():
            found[name].append(tiles_per_s())
    return {name: sorted(each)[len(each) // 2] for name, each in found.items()}


def _on_one_stream(setting: Setting, model: TiledModel) -> float:
    changed = copy(model)
    changed.uploader = Uploader(model.device, model.stages, own_stream=False)
    return _engine(setting, changed, model.network)


def _engine(setting: Setting, model: TiledModel, network: Network) -> float:
    model = model.with_execution(replace(model.execution, network=network))
    with engine(model) as worker:
        feed(setting, worker, model, 0.2 * setting.scale.seconds)
        return feed(setting, worker, model, setting.scale.seconds)


@contextmanager
def engine(model: TiledModel) -> Iterator[DeviceWorker]:
    """Yields a worker that owns the model's device."""
    worker = DeviceWorker([model.device], queue=TileQueue(2**20, monotonic))
    worker.start()
    try:
        yield worker
    finally:
        worker.stop()


def feed(setting: Setting, worker: DeviceWorker, model: TiledModel, at_least_s: float) -> float:
    """Tiles per second of the engine, which is given pictures for `at_least_s` seconds."""
    shown = pictures(4, setting.scale.picture)
    if setting.device.type == "cuda":
        shown = [picture.pin_memory() for picture in shown]
    count = model.plan(*setting.scale.picture).count
    started, number = perf_counter(), 0
    flight: list[tuple[Ticket[Job], Future[Done]]] = []
    while perf_counter() - started < at_least_s or number == 0:
        while len(flight) < IN_FLIGHT // max(1, count // 16):
            ticket = worker.admit(count)
            flight.append((ticket, worker.submit(ticket, [model], shown[number % len(shown)])))
            number += 1
        ticket, done = flight.pop(0)
        with ticket:
            done.result(timeout=120)
    for ticket, done in flight:
        with ticket:
            done.result(timeout=120)
    return number * count / (perf_counter() - started)


def _stages(setting: Setting, model: TiledModel) -> dict[str, dict[str, float]]:
    """The seconds per tile of each stage, of the calling thread and of the device."""
    before = model.stages.totals()
    with engine(model) as worker:
        started = perf_counter()
        tiles = feed(setting, worker, model, setting.scale.seconds) * (perf_counter() - started)
    after = model.stages.totals()
    return {
        stage: {
            "host": (after[stage].host_s - before[stage].host_s) / tiles,
            "device": (after[stage].device_s - before[stage].device_s) / tiles,
        }
        for stage in after
    }


def flop_a_tile(model: TiledModel) -> float:
    """Floating-point operations of the network's convolutions per tile; a multiply-add counts as two."""
    assert model.tile_size is not None
    program = trace(model.detector)
    sizes = shapes(program, model.tile_size)
    total = 0
    for number, step in enumerate(program.steps, start=1):
        if isinstance(step, Convolution):
            _, height, width = sizes[step.source] if step.transposed else sizes[number]
            total += 2 * step.module.weight.numel() * height * width
    return float(total)
