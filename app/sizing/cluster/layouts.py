"""The layouts of clusters: servers with the whole application, and ingresses with engines that share pictures."""

from math import ceil

from app.sizing.cluster.layout import OF_INGRESSES, Layout, Machines, Resource, Step
from app.sizing.cluster.parts import Cluster
from app.sizing.estimate import BUSY_SHARE
from app.sizing.work import Work


def layout_of(work: Work, cluster: Cluster, cards: int, ingresses: int) -> Layout:
    """The way of a picture through a cluster with this number of cards, or of machines without one."""
    if cluster.block_tiles:
        parts, (before, part, after) = work.blocks(cluster.block_tiles)[0], _divided(work, cluster)
    else:
        parts, (before, part, after) = 1, _whole(work, cluster, ingresses)
    units = {Resource.server_processors: cluster.processors or 1}
    units[Resource.ingress_processors] = cluster.ingress_processors or 1
    used = {step.resource for step in (*before, *part, *after)}
    machines = {
        each: Machines(ingresses if each in OF_INGRESSES else cards, units.get(each, 1))
        for each in Resource
        if each in used
    }
    return Layout(machines, before, part, parts, after)


def cards_for(work: Work, cluster: Cluster, rate: float) -> int:
    """The cards that this rate needs, so that their machines are busy for BUSY_SHARE of the time at most."""
    return _needed(layout_of(work, cluster, 1, 1), rate, of_ingresses=False)


def ingresses_for(work: Work, cluster: Cluster, cards: int, rate: float) -> int:
    """The ingresses that are given, or else those that this rate needs; a server alone needs none."""
    if cluster.ingresses is not None:
        return cluster.ingresses
    if cards == 1 and not cluster.block_tiles:
        return 0
    return _needed(layout_of(work, cluster, cards, 1), rate, of_ingresses=True)


def short_queues_rate(work: Work, cluster: Cluster, cards: int) -> float:
    """The rate at which nothing is busy for longer than BUSY_SHARE of the time; ingresses count if they are given."""
    layout = layout_of(work, cluster, cards, cluster.ingresses or int(cluster.block_tiles > 0))
    given = cluster.ingresses is not None
    return BUSY_SHARE * min(
        each.pictures_per_s for each in layout.limits() if given or each.resource not in OF_INGRESSES
    )


def _needed(layout: Layout, rate: float, *, of_ingresses: bool) -> int:
    busy = [
        rate * layout.seconds(resource) / each.units
        for resource, each in layout.machines.items()
        if (resource in OF_INGRESSES) is of_ingresses
    ]
    return ceil(max(busy) / BUSY_SHARE)


Steps = tuple[Step, ...]


def _whole(work: Work, cluster: Cluster, ingresses: int) -> tuple[Steps, Steps, Steps]:
    """Each picture goes through an ingress, if there is one, to a server, which does all work on it."""
    up, down = cluster.transfer_s(work.file_bytes), cluster.transfer_s(work.answer_bytes)
    http = cluster.request_s(work.file_bytes + work.answer_bytes)
    part = (
        Step(Resource.server_in, up),
        *_computed(work, cluster, http + work.decode_s, work.device_s, work.render_s),
        Step(Resource.server_out, down, cluster.latency_s),
    )
    if not ingresses:
        return (), part, ()
    before = (
        Step(Resource.ingress_in, up),
        Step(Resource.ingress_processors, cluster.hop_s(work.file_bytes + work.answer_bytes)),
        Step(Resource.ingress_out, up, cluster.latency_s),
    )
    return before, part, (Step(Resource.ingress_in, down), Step(Resource.ingress_out, down))


def _divided(work: Work, cluster: Cluster) -> tuple[Steps, Steps, Steps]:
    """An ingress decodes the picture, sends the pixels of each block to an engine, and makes the map of distances."""
    blocks, computed = work.blocks(cluster.block_tiles)
    pixels, distances = computed * work.pixel_bytes / blocks, work.distance_bytes / blocks
    hop = cluster.hop_s(pixels + distances)
    up, down = cluster.transfer_s(work.file_bytes), cluster.transfer_s(work.answer_bytes)
    http = cluster.request_s(work.file_bytes + work.answer_bytes)
    before = (
        Step(Resource.ingress_in, up),
        Step(Resource.ingress_processors, http + work.decode_s + blocks * hop),
    )
    part = (
        Step(Resource.ingress_out, cluster.transfer_s(pixels), cluster.latency_s),
        Step(Resource.server_in, cluster.transfer_s(pixels)),
        *_computed(work, cluster, hop, computed * work.device_s / blocks, 0.0),
        Step(Resource.server_out, cluster.transfer_s(distances), cluster.latency_s),
        Step(Resource.ingress_in, cluster.transfer_s(distances)),
    )
    after = (Step(Resource.ingress_processors, work.map_s + work.render_s), Step(Resource.ingress_out, down))
    return before, part, after


def _computed(work: Work, cluster: Cluster, before_s: float, device_s: float, after_s: float) -> Steps:
    """The steps at a server: processors, its card, and processors again.

    A machine without a card is one unit of all its processors, which compute pictures one after another. One processor
    works before and after; the others do so for other pictures meanwhile, so that only its share holds the unit.
    """
    if not work.on_cpu:
        after = (Step(Resource.server_processors, after_s),) if after_s else ()
        return Step(Resource.server_processors, before_s), Step(Resource.card, device_s), *after
    processors, alone_s = cluster.processors or 1, before_s + after_s
    held_s = device_s + alone_s / processors
    return (Step(Resource.machine, held_s, alone_s - alone_s / processors),)
