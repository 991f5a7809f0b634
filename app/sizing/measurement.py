"""Measures what a model takes on this machine, in a few seconds."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from time import perf_counter

import numpy as np
import psutil
import torch
from PIL import Image

from app.artifacts import Artifact
from app.decoding import decode
from app.pipeline import Loops, TiledModel, interpret, predict
from app.pipeline.assembly import Assembly, completed
from app.rendering import encode_png, overlay
from app.scoring import Calibration
from app.sizing.figures import Figures

TILES = 4
"""The measured picture has this many tiles in a row and in a column, if they do not overlap."""
UNTILED = 512, 512
"""The (height, width) of the measured picture of a model that takes whole pictures of any size."""
BUDGET_S = 4.0
"""The approximate time for the predictions of one model; at least FEWEST are measured."""
FEWEST = 3
MAPS = 2
"""Each needs the tiles of a whole picture."""
REPEATS = 5
DECODED = 1024
"""The edge of the picture that is decoded and drawn, in pixels."""


class FileFormat(StrEnum):
    """The format of the pictures that are sent."""

    png = "png"
    jpeg = "jpeg"


def measure(
    load: Callable[[], Artifact], processors: int, base_bytes: int, clock: Callable[[], float] = perf_counter
) -> tuple[Artifact, Figures]:
    """Loads a model, and measures it as it is executed.

    The best of several runs counts, because other programs can only make a run slower.

    processors: those that the lanes of the model share
    base_bytes: the memory of a process without models
    """
    before_bytes = resident_bytes()
    artifact = load()
    model = artifact.model
    image = torch.from_numpy(_texture(*_size(artifact))).permute(2, 0, 1).contiguous()
    lanes = min(model.execution.lanes or processors, processors) if model.device.type == "cpu" else 1

    def work() -> None:
        interpret(predict(model, image), artifact.calibration)

    plan = model.plan(*image.shape[-2:])
    pixels = plan.count * plan.input_size[0] * plan.input_size[1]
    with Loops(model.device, plan.input_size, lanes, processors) as loops:
        loops.seconds(work)  # the first run is slower: memory is allocated
        started, seconds = clock(), [loops.seconds(work)]
        while len(seconds) < FEWEST or clock() - started < BUDGET_S:
            seconds.append(loops.seconds(work))
    held_bytes = resident_bytes()
    on_card = torch.cuda.max_memory_reserved(model.device) if model.device.type == "cuda" else 0
    decoded, drawn = {kind.value: measured_decoding(kind, clock) for kind in FileFormat}, measured_drawing(clock)
    figures = Figures(
        pixel_s=min(seconds) / pixels,
        lanes=lanes,
        decode_s={name: each.pixel_s for name, each in decoded.items()},
        file_bytes={name: each.pixel_bytes for name, each in decoded.items()},
        map_s=map_seconds(model, artifact.calibration, image),
        render_s=drawn.pixel_s,
        drawn_bytes=drawn.pixel_bytes,
        resident_bytes=base_bytes + max(held_bytes - before_bytes, 0),
        device_bytes=on_card,
        measured=datetime.now(UTC).date().isoformat(),
    )
    return artifact, figures


def resident_bytes() -> int:
    """The memory that this process holds."""
    return int(psutil.Process().memory_info().rss)


@dataclass(frozen=True, slots=True)
class FileWork:
    """Seconds of one processor, and bytes of the file, for each pixel of a picture."""

    pixel_s: float
    pixel_bytes: float


def measured_decoding(kind: FileFormat, clock: Callable[[], float] = perf_counter) -> FileWork:
    """The decoding of a colour picture with texture."""
    data = io.BytesIO()
    Image.fromarray(_texture(DECODED, DECODED)).save(data, kind.value)
    seconds = _best(lambda: decode(data.getvalue(), max_pixels=DECODED**2), clock)
    return FileWork(seconds / DECODED**2, len(data.getvalue()) / DECODED**2)


def measured_drawing(clock: Callable[[], float] = perf_counter) -> FileWork:
    """The drawing and encoding of a heatmap over a picture with texture."""
    image = torch.from_numpy(_texture(DECODED, DECODED)).permute(2, 0, 1).contiguous()
    heat = torch.linspace(0, 1, DECODED).expand(DECODED, DECODED)
    size = len(encode_png(overlay(image, heat)))
    return FileWork(_best(lambda: encode_png(overlay(image, heat)), clock) / DECODED**2, size / DECODED**2)


def map_seconds(model: TiledModel, calibration: Calibration, image: torch.Tensor) -> float:
    """Seconds of one thread for each pixel of the map, the score and the regions, after all distances were measured."""
    with Loops(model.device, model.plan(*image.shape[-2:]).input_size, 1, 1) as loops:

        def once() -> float:
            assembly = _measured(model, image)
            return loops.seconds(lambda: interpret(completed(assembly.finish()), calibration))

        return min(once() for _ in range(MAPS)) / (image.shape[-2] * image.shape[-1])


@torch.inference_mode()
def _measured(model: TiledModel, image: torch.Tensor) -> Assembly:
    """The assembly of a picture whose tiles were all added."""
    prepared = model.prepare(image)
    assembly = Assembly(model, prepared)
    for features in model.outputs(prepared):
        for _ in assembly.add(features):
            pass
    return assembly


def _best(work: Callable[[], object], clock: Callable[[], float]) -> float:
    """The seconds of the fastest of several runs."""
    seconds = []
    for _ in range(REPEATS):
        started = clock()
        work()
        seconds.append(clock() - started)
    return min(seconds)


def _size(artifact: Artifact) -> tuple[int, int]:
    """The (height, width) of the measured picture."""
    model = artifact.model
    if model.preprocessing.image_size is not None:
        return model.preprocessing.image_size
    if not model.tiling.enable:
        return UNTILED
    height, width = model.tiling.tile_size
    return TILES * height, TILES * width


def _texture(height: int, width: int) -> np.ndarray:
    """Waves with noise, [H,W,3] uint8: a file of it compresses about as well as that of a metal surface."""
    y, x = np.mgrid[0:height, 0:width] / 64.0
    waves = np.stack([np.sin(x + 2 * y), np.cos(3 * x - y), np.sin(x * y / 8)], axis=-1) * 60 + 128
    noise = np.random.default_rng(0).normal(0, 4, (height, width, 1))
    return np.clip(waves + noise, 0, 255).astype(np.uint8)
