"""The roofline: for each stage of a picture the least time that the machine allows, the time taken, and the limiting
stage.

The least time of a stage is its bytes divided by the bandwidth of the bus or the memory, or its operations divided by
the peak, both measured on the same machine (`limits`). The least time of decoding is that of all processors together.
Williams, Waterman and Patterson, "Roofline", CACM 52 (4), 2009.
"""

from collections.abc import Iterator
from typing import Any

from app.pipeline.stages import Stage
from benchmarks.gpu.results import Figures, figures_of
from benchmarks.gpu.scale import SCALES, Scale

BANK_CHANNELS = 384  # of PatchCore's embedding with a ResNet-18's layer2 and layer3
CELL = 8  # pixels along an edge of one of its cells


def roofline(results: Figures) -> Figures:
    """For each measurement of `serving`: least and actual seconds per picture of each stage, and the limiting stage."""
    content: dict[str, Any] = dict(results)
    limits, served = figures_of(content, "limits"), figures_of(content, "serving")
    engine = figures_of(content, "engine")
    scale = SCALES[content["scale"]]
    found: Figures = {}
    for name, measured in served.items():
        detector, format, clients = name.split(", ")
        if limits and not format.startswith("large"):
            least = dict(_least(detector, format, limits, engine, scale))
            found[name] = _compared(measured, least, limits, one=clients == "1 clients")
    return found


def _least(
    detector: str, format: str, limits: dict[str, Any], engine: dict[str, Any], scale: Scale
) -> Iterator[tuple[str, float]]:
    """The least seconds per picture of each stage for which a limit of the machine is known."""
    height, width = scale.picture
    pixels, tiles = height * width, (height // scale.tile) * (width // scale.tile)
    yield "decode", 1 / limits[f"decode_{format}_per_s"]["all"]
    yield Stage.upload, 3 * pixels / limits["upload_bytes_per_s"]
    yield Stage.cut, (3 * pixels + 4 * 3 * tiles * scale.tile**2) / limits["memory_bytes_per_s"]
    if detector in engine:
        yield Stage.network, engine[detector]["flop_a_tile"] * tiles / limits["half_flop_per_s"]
    if detector == "patchcore":
        flop = 2 * pixels / CELL**2 * scale.bank * BANK_CHANNELS
        yield Stage.measure, flop / limits["half_flop_per_s"]
    yield Stage.map, 4 * pixels / limits["memory_bytes_per_s"]
    yield Stage.download, 4 * pixels / limits["download_bytes_per_s"]


def _compared(measured: dict[str, Any], least: dict[str, float], limits: dict[str, Any], one: bool) -> Figures:
    """With one client the limiting stage is the longest; with several clients it is that with the busiest resource."""
    taken = {**measured["stage_s"], **measured["device_s"]}
    wide = {"decode", "render", "receive and send"}
    load = {
        stage: seconds * measured["pictures_per_s"] / (limits["processors"] if stage in wide else 1)
        for stage, seconds in taken.items()
        if stage != "queue"
    }
    order = taken if one else load
    limiting = max((stage for stage in load), key=lambda stage: order[stage])
    stages: Figures = {
        stage: {
            "least_s": least.get(stage),
            "taken_s": taken[stage],
            "share_of_limit": least[stage] / taken[stage] if least.get(stage) and taken[stage] else None,
            "load": load.get(stage),
        }
        for stage in taken
    }
    return {"pictures_per_s": measured["pictures_per_s"], "limit": limiting, "stages": stages}


def table(results: Figures) -> str:
    """The roofline as text: the least and the actual milliseconds per picture of each stage."""
    content: dict[str, Any] = dict(results)
    lines = []
    for name, row in content.get("roofline", {}).items():
        lines.append(f"{name}: {row['pictures_per_s']:.1f} pictures/s, limited by {row['limit']}")
        for stage, each in row["stages"].items():
            least = f"{1000 * each['least_s']:9.3f}" if each["least_s"] is not None else "        -"
            share = f"{each['share_of_limit']:6.1%}" if each["share_of_limit"] is not None else "     -"
            load = f"{each['load']:6.1%}" if each["load"] is not None else "     -"
            lines.append(f"  {stage:<18}{least}{1000 * each['taken_s']:10.3f} ms {share} of the limit, busy {load}")
    return "\n".join(lines)
