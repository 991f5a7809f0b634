"""What a prediction costs, from the sizes in a picture's header and the model, before anything is decoded."""

from dataclasses import dataclass
from math import ceil

from app.pipeline import Roi, TiledModel
from app.pipeline.endless import Geometry
from app.tiling import Size, TilePlan

FLOAT = 4  # bytes of a float32
DECODED_BYTES = 3
"""The most bytes of a decoded pixel: three channels of one byte, or one of two."""
DECODER_BYTES = 4
"""The most bytes that a decoder takes for a pixel, beside the decoded one."""
MAP_BYTES = 2 * FLOAT
"""The bytes of a pixel of the map: its value, and the labels of regions or the blur of a band of rows."""
HEATMAP_BYTES = 3 * FLOAT
"""The bytes of a pixel while a heatmap is drawn and encoded: the normalised value, colours, a copy, and the file."""
MASK_BYTES = 3
"""The bytes of a pixel while a mask is drawn and encoded: the mask, its grey value, and the file."""
MAP_FILE_BYTES = 2 * FLOAT
"""The bytes of a pixel while a map is encoded: the normalised value, and the file."""

OUTLINE_BYTES = 4 * FLOAT
"""The bytes of a pixel while outlines are traced: the places of a band of rows, and the corners in it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a picture costs.

    tiles: the tiles that the network computes
    canvas_pixels: the pixels of the canvas that these tiles cover, with the padding
    memory_bytes: the most bytes that the picture takes while it is decoded, computed and drawn
    tile_s: the expected seconds of a tile, as measured when the model was loaded; None: not measured
    """

    tiles: int
    canvas_pixels: int
    memory_bytes: int
    tile_s: float | None


def cost_of(
    model: TiledModel, plan: TilePlan, size: Size, roi: Roi | None, *, file_bytes: int = 0, drawn_bytes: int = 0
) -> Cost:
    """The cost of a picture of this (height, width), of which the model computes the tiles of `plan`.

    file_bytes: the size of its file
    drawn_bytes: the bytes that drawing and encoding take for each pixel of the map
    """
    pixels, shown = size[0] * size[1], size[0] * size[1] if roi is None else roi.height * roi.width
    tiled = plan.image_size[0] * plan.image_size[1]
    decoding = file_bytes + (DECODED_BYTES + DECODER_BYTES) * pixels
    resized = 0 if plan.image_size == size else FLOAT * (4 * tiled + pixels + shown)
    computing = resized + device_bytes(model, plan) if model.device.type == "cpu" else 0
    drawing = (MAP_BYTES + drawn_bytes) * shown
    trials = model.execution.trials
    return Cost(
        plan.count,
        canvas_pixels(plan),
        max(decoding, DECODED_BYTES * pixels + max(computing, drawing) + FLOAT * shown),
        trials[0].seconds if trials else None,
    )


def device_bytes(model: TiledModel, plan: TilePlan) -> int:
    """The bytes that the picture takes on its device beside its pixels and the tiles of a batch."""
    own = distances_bytes(model, plan) + stitcher_bytes(model, plan)
    return own if plan.tiled else own + model.detector.activation_bytes(canvas_pixels(plan))


def canvas_pixels(plan: TilePlan) -> int:
    """The pixels that the tiles in rows and columns cover: the picture, or a region of it, and its padding."""
    height, width = plan.covered_size
    return height * width


def stitcher_bytes(model: TiledModel, plan: TilePlan) -> int:
    """The bytes of the buffers in which overlapping tiles are stitched: a row of tiles in a strip, and a copy."""
    detector = model.detector
    if not plan.tiled or (plan.disjoint and not detector.needs_whole_rows):
        return 0
    height, width = plan.stitched_size
    layers = zip(detector.feature_strides, detector.feature_channels, strict=True)
    return sum(2 * FLOAT * channels * ceil(height / stride) * ceil(width / stride) for stride, channels in layers)


def distances_bytes(model: TiledModel, plan: TilePlan) -> int:
    """The bytes of the distances of all cells."""
    return sum(FLOAT * plan.y.cells(stride) * plan.x.cells(stride) for stride in model.detector.map_strides)


def stream_bytes(model: TiledModel, geometry: Geometry, row_bytes: int) -> int:
    """The most bytes that a stream of rows takes, also between its bands; the batches of tiles are not counted."""
    y, x = geometry.plan.y, geometry.plan.x
    band = geometry.most * y.step + y.tile
    waiting = 2 * geometry.buffer + y.tile + 2 * y.halo  # those of the window, and those that were not read
    cells = sum(ceil((band + geometry.latency) / stride) * x.cells(stride) for stride in model.detector.map_strides)
    device = 2 * FLOAT * cells + stitcher_bytes(model, geometry.plan)
    return 2 * (waiting + band) * row_bytes + device + (MAP_BYTES + FLOAT) * (band + geometry.latency) * x.length
