"""What one picture takes of each part of a server, from the measured figures."""

from dataclasses import dataclass
from math import ceil, prod

from app.admission.costs import DECODED_BYTES, distances_bytes
from app.pipeline import TiledModel
from app.sizing.figures import Figures
from app.sizing.measurement import FileFormat
from app.tiling import Size
from app.tiling.axis import Axis

ANSWER_BYTES = 2_000
"""The bytes of an answer without pictures: the JSON of a prediction with a few regions, and its head."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The pictures that come: their (height, width), their format, and how many a second.

    heatmap: whether the answer is a heatmap over the picture, a PNG file
    """

    size: Size
    rate: float
    format: FileFormat
    heatmap: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What one picture takes.

    on_cpu: whether processors compute its tiles, and not a card
    device_s: seconds of a card, or of all processors of a machine together, for its tiles, map and regions
    decode_s: seconds of one processor to decode its file
    map_s: seconds of one processor for the map and the regions, if other machines measured the tiles
    render_s: seconds of one processor to draw and encode the heatmap; 0 without one
    file_bytes, answer_bytes: the sizes of the request and of its answer
    pixel_bytes: the decoded pixels, which engines get
    distance_bytes: the distances of all cells, which engines return
    tiles: the rows and columns of its tiles
    shared: the rows and columns of tiles that two neighbouring blocks both compute, because tiles overlap
    """

    on_cpu: bool
    device_s: float
    decode_s: float
    map_s: float
    render_s: float
    file_bytes: float
    answer_bytes: float
    pixel_bytes: float
    distance_bytes: float
    tiles: Size
    shared: Size

    def blocks(self, edge: int) -> tuple[int, float]:
        """The number of equal blocks of at most `edge` rows and columns of tiles, without those that are shared.

        And the tiles that all blocks compute, as a multiple of the picture's; 1 if tiles do not overlap.
        """
        counts = [ceil(tiles / edge) for tiles in self.tiles]
        axes = zip(counts, self.tiles, self.shared, strict=True)
        return prod(counts), prod(1 + (count - 1) * shared / tiles for count, tiles, shared in axes)


def work_of(model: TiledModel, figures: Figures, demand: Demand) -> Work:
    """What a picture of the demand takes of a machine like the one on which the figures were measured."""
    plan, pixels = model.plan(*demand.size), demand.size[0] * demand.size[1]
    return Work(
        on_cpu=model.device.type == "cpu",
        device_s=figures.pixel_s * plan.count * plan.input_size[0] * plan.input_size[1],
        decode_s=figures.decode_s[demand.format] * pixels,
        map_s=figures.map_s * pixels,
        render_s=figures.render_s * pixels if demand.heatmap else 0.0,
        file_bytes=figures.file_bytes[demand.format] * pixels,
        answer_bytes=figures.drawn_bytes * pixels if demand.heatmap else ANSWER_BYTES,
        pixel_bytes=DECODED_BYTES * pixels,
        distance_bytes=distances_bytes(model, plan),
        tiles=(plan.rows, plan.columns),
        shared=(_shared(plan.y), _shared(plan.x)),
    )


def highest_rate(work: Work, units: int) -> float:
    """The most pictures in a second of a machine with so many processors, or cards, that are always busy.

    A machine with cards has enough processors for decoding.
    """
    if not work.on_cpu:
        return units / work.device_s
    return 1 / (work.device_s + (work.decode_s + work.render_s) / units)


def _shared(axis: Axis) -> int:
    """The tiles along an edge that begin within a tile, after it."""
    return min(ceil(axis.tile / axis.step) - 1, axis.count - 1)
