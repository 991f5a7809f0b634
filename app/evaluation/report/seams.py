"""`seams.json` and `seams.html`: how far the features of tilings are from those of the untiled network."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from app.artifacts import Artifact
from app.evaluation.report.gallery import reduced_size
from app.evaluation.report.page import render
from app.evaluation.report.record import Json, ReportData, model_record
from app.evaluation.report.write import replace_files
from app.evaluation.seams import BINS, Compared, ErrorMap, TilingErrors
from app.pipeline import Preprocessing
from app.rendering import color_table, colorize, encode_jpeg
from app.tiling import Size
from app.version import VERSION

SEAMS, SEAMS_PAGE = "seams.json", "seams.html"
SCHEMA_VERSION = 1

DECADES = -4, 0
"""The powers of ten of the errors at which the colours of a map begin and end."""

LINE = 128
"""The grey value of the lines between tiles in a map of errors."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """The first picture, and its errors by tiling, as JPEG."""

    picture: bytes
    maps: tuple[bytes, ...]
    size: Size  # (height, width) of the part that was compared


def make_seam_record(
    results: Sequence[TilingErrors], sizes: Sequence[Size], files: Sequence[str], artifact: Artifact, dataset: str
) -> ReportData:
    """The content of `seams.json`. The page shows no other numbers.

    sizes, files: the `(height, width)` of the compared part and the name of each picture
    """
    ends = [*BINS, None]
    return {
        "schema_version": SCHEMA_VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "tessera_version": VERSION,
        "model": model_record(artifact),
        "dataset": {"description": dataset},
        "pictures": [
            {"file": file, "height": height, "width": width} for file, (height, width) in zip(files, sizes, strict=True)
        ],
        "distances": [{"from": start, "to": end} for start, end in zip([0, *BINS], ends, strict=True)],
        "tilings": [_tiling(each) for each in results],
    }


def write_seams(directory: Path, record: ReportData, drawn: Drawn) -> None:
    """Writes `seams.json` and `seams.html` into the directory. Other files in it are not changed."""
    page = render("seams.html.jinja", record, (), drawn=drawn, labels=distance_labels(), scale=_scale())
    content = json.dumps(record, indent=1, allow_nan=False) + "\n"
    replace_files(directory, {SEAMS: content, SEAMS_PAGE: page})


def distance_labels() -> list[str]:
    """The ranges of distances in pixels, in words."""
    return [*(f"{start} to {end}" for start, end in zip((0, *BINS), BINS, strict=False)), f"over {BINS[-1]}"]


def draw_seams(compared: Compared) -> Drawn:
    """The compared part of a picture, and the errors of each tiling in it, with the edges of its tiles."""
    height, width = compared.image.shape[-2:]
    size = reduced_size((height, width))
    image = Preprocessing(size).resize(compared.image).float() * (255 / compared.white)
    picture = encode_jpeg(image.round_().clamp_(0, 255).to(torch.uint8))
    return Drawn(picture, tuple(_drawn(each, (height, width), size) for each in compared.maps), (height, width))


def _drawn(found: ErrorMap, whole: Size, size: Size) -> bytes:
    low, high = DECADES
    heat = (found.errors.clamp(min=10.0**low).log10() - low) / (high - low)
    picture = colorize(F.interpolate(heat[None, None], size=size, mode="nearest")[0, 0])
    _draw_lines(picture, found, whole, size)
    return encode_jpeg(picture)


def _draw_lines(picture: Tensor, found: ErrorMap, whole: Size, size: Size) -> None:
    """Draws the edges between tiles, one pixel wide."""
    for row in found.rows:
        picture[:, row * size[0] // whole[0]] = LINE
    for column in found.columns:
        picture[:, :, column * size[1] // whole[1]] = LINE


def _scale() -> list[tuple[str, str]]:
    """The error and the colour of each power of ten of a map, as `1 %` and `#rrggbb`."""
    low, high = DECADES
    colors = color_table().T  # [256,3]
    places = [(power, round((power - low) / (high - low) * 255)) for power in range(low, high + 1)]
    return [(f"{100 * 10.0**power:g} %", "#" + bytes(colors[place]).hex()) for power, place in places]


def _tiling(found: TilingErrors) -> Json:
    tiling = found.tiling
    return {
        "name": found.name,
        "tile_size": list(tiling.tile_size),
        "stride": list(tiling.stride),
        "halo": tiling.halo,
        "mode": str(tiling.mode),
        "blend": str(tiling.blend),
        "padding_fill": str(tiling.padding_fill),
        "remove_border_count": tiling.remove_border_count,
        "work": found.work,
        "mean": found.mean,
        "largest": found.largest,
        "at_tiles": list(found.at_tiles),
        "at_picture": list(found.at_picture),
    }
