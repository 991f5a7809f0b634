"""`tessera estimate`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import ceil

import torch
from jsonargparse import ArgumentParser, Namespace

from app.admission import Limits
from app.artifacts import Artifact, load_artifact, verify_artifact
from app.cli.bench import add_measurement, key_of, measured
from app.cli.cluster_estimate import add_cluster, cluster_lines, given_cluster
from app.cli.repository import read_repository
from app.cli.usage import UsageError
from app.errors import LimitExceeded
from app.pipeline import resolve_device
from app.runtime import RunOptions
from app.settings import Settings
from app.sizing import (
    BUSY_SHARE,
    Demand,
    Figures,
    FileFormat,
    Need,
    Place,
    Work,
    default_file,
    highest_rate,
    need_of,
    read_figures,
    resident_bytes,
    work_of,
)
from app.sizing.cluster import cards_for, short_queues_rate
from app.tiling import Size

GIB = 2**30


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Say how many processors or cards, and how much memory, a rate of pictures needs, or which rate a "
        "number of cards answers; and how soon, and what limits it. The figures are those of `tessera bench`; a model "
        "that was not measured on this machine is measured now."
    )
    parser.add_argument("--name", type=str, required=True, help="the name of the model")
    parser.add_argument("--version", type=int | None, default=None, help="the version; by default the one that serves")
    parser.add_argument(
        "--size", type=str, required=True, help="height and width of the pictures in pixels, such as 1024x1280"
    )
    parser.add_argument(
        "--rate", type=float | None, default=None, help="the pictures that come in a second, such as 5 or 0.2"
    )
    parser.add_argument("--format", type=FileFormat, default=FileFormat.png, help="the format of the pictures")
    parser.add_argument("--heatmap", type=bool, default=False, help="whether answers are heatmaps over the pictures")
    add_cluster(parser)
    add_measurement(parser)
    return parser


@dataclass(frozen=True, slots=True)
class Here:
    """What computes on this machine.

    noun: `processor` or `card`
    units: how many of them there are
    servers: how many servers of a cluster this machine replaces: one for each card, or one without a card
    """

    noun: str
    units: int
    servers: int


def run(options: Namespace) -> int:
    """Prints the estimate. Raises UsageError, ModelNotFound, InvalidArtifact, InvalidDevice or InvalidParameter."""
    demand = Demand(_size(options.size), _rate(options.rate, options.cards), options.format, options.heatmap)
    given = given_cluster(parser(), options)
    entry = read_repository(options).find(options.name, options.version)
    device, processors = resolve_device(options.device), torch.get_num_threads()
    _, digest = verify_artifact(entry)
    place = Place.here(device)
    figures = read_figures(options.figures or default_file(), place).get(key_of(digest, options.precision))
    if figures is None:
        artifact, figures = measured(entry, options, resident_bytes())
    else:  # not tuned: only sizes are asked for
        artifact = load_artifact(entry, device, RunOptions(batch_tiles=None))
    work, cluster = work_of(artifact.model, figures, demand), given.with_processors(processors)
    if options.rate is None:
        demand = replace(demand, rate=short_queues_rate(work, cluster, options.cards))
    need = need_of(artifact.model, figures, demand, processors)
    needed = options.cards if options.rate is None else cards_for(work, cluster, demand.rate)
    cards = torch.cuda.device_count()
    here = Here("processor", processors, 1) if work.on_cpu else Here("card", cards, cards)
    machines = ceil((options.cards or (needed if need.units > here.units else 1)) / here.servers)
    each = need_of(artifact.model, figures, replace(demand, rate=demand.rate / machines), processors)
    for line in _lines(artifact, figures, demand, need, place):
        print(line, flush=True)
    for line in _machine_lines(figures, work, need, here, ceil(needed / here.servers)):
        print(line, flush=True)
    for line in _memory_lines(artifact, figures, demand, each, machines):
        print(line, flush=True)
    for line in cluster_lines(work, cluster, demand.rate, options.cards, options.price):
        print(line, flush=True)
    return 0


def _lines(artifact: Artifact, figures: Figures, demand: Demand, need: Need, place: Place) -> Iterator[str]:
    (height, width), cost, on_cpu = demand.size, need.cost, artifact.model.device.type == "cpu"
    yield (
        f"{artifact.name} version {artifact.version}, {demand.rate:g} pictures a second of {height} x {width} "
        f"(height x width), {demand.format}"
    )
    where = f"{place.processors} processor{'s' * (place.processors != 1)}, {place.processor}"
    yield f"measured {figures.measured} on {where if on_cpu else f'{place.device}, {where}'}"
    yield f"each picture:   {cost.tiles} tiles, {cost.memory_bytes / 2**20:,.0f} MiB of memory while it is in work"
    yield f"tiles a second: {need.tiles_per_s:,.1f}"
    busy = f"busy for at most {BUSY_SHARE:.0%} of the time"
    if on_cpu:
        yield (
            f"processors:     {need.units:,}, {busy} ({need.compute_busy:.2f} compute and "
            f"{need.decode_busy:.2f} decode on average)"
        )
    else:
        yield f"cards:          {need.units:,}, {busy} ({need.compute_busy:.2f} on average)"
        yield f"processors:     {need.decoders} for decoding ({need.decode_busy:.2f} on average), and 2"


def _machine_lines(figures: Figures, work: Work, need: Need, here: Here, machines: int) -> Iterator[str]:
    """Whether this machine is enough; otherwise how many like it are."""
    on_cpu, highest = work.on_cpu, highest_rate(work, here.units)
    yield (
        f"this machine:   {here.units} {here.noun}{'s' * (here.units != 1)}: "
        f"{'enough' if need.units <= here.units else 'not enough'}; at most {highest:.1f} pictures a second, "
        f"{BUSY_SHARE * highest:.1f} with short queues"
    )
    if need.units > here.units:
        yield f"machines:       {machines:,} like this one behind a proxy, or fewer that are faster"
    if on_cpu:
        yield "card:           not measured; run this command with --device cuda on the machine that has it"
    else:
        yield f"card's memory:  {figures.device_bytes / GIB:.1f} GiB"


def _memory_lines(artifact: Artifact, figures: Figures, demand: Demand, need: Need, machines: int) -> Iterator[str]:
    """The memory of each of the machines, which share the pictures, and the limits that refuse a picture."""
    (height, width), cost = demand.size, need.cost
    title = "memory:" if machines == 1 else "memory of each:"
    yield (
        f"{title:15} {need.memory_bytes / GIB:.1f} GiB: {figures.resident_bytes / GIB:.1f} for the model and the "
        f"program, and {need.in_work} pictures in work; and as much as max_waiting_bytes for uploads that wait"
    )
    yield (
        f"                {need.free_bytes / GIB:.1f} GiB must be free at the start, so that one picture is admitted "
        "(max_work_bytes)"
    )
    settings = Settings.model_construct()
    upload = settings.max_image_bytes
    limits = Limits(upload, upload, cost.memory_bytes, settings.max_pixels, settings.queue_tiles)
    if height * width > settings.max_pixels:
        yield f"limit:          max_pixels is {settings.max_pixels:,}; set it to {height * width}"
    try:
        limits.require_canvas(cost)
    except LimitExceeded as error:
        yield f"limit:          {error}"


def _size(text: str) -> Size:
    found = re.fullmatch(r"([1-9]\d{0,6})\s*[xX×]\s*([1-9]\d{0,6})", text.strip())
    if not found:
        raise UsageError(f"--size {text!r}: give height and width in pixels, such as 1024x1280")
    return int(found[1]), int(found[2])


def _rate(rate: float | None, cards: int | None) -> float:
    """The rate; 0 if it is asked for."""
    if rate is None and cards is None:
        raise UsageError("missing: --rate (the pictures that come in a second) or --cards (the number of cards)")
    if rate is not None and not 0 < rate < float("inf"):
        raise UsageError(f"--rate {rate:g}: give the pictures that come in a second, over 0")
    return rate or 0.0
