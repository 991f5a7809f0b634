"""What a picture takes of a cluster follows from its work, and the needs of a rate follow from that."""

from dataclasses import replace
from typing import Any

import pytest

from app.errors import InvalidParameter
from app.sizing import BUSY_SHARE, Work
from app.sizing.cluster import Cluster, Resource, cards_for, ingresses_for, layout_of, short_queues_rate

MB = 1e6


def test_a_server_takes_the_whole_picture(work: Work, cluster: Cluster) -> None:
    layout = layout_of(work, cluster, cards=3, ingresses=0)
    taken = {each: layout.seconds(each) for each in layout.machines}
    http_s = 1e-3 + 1.5 * MB * 2e-9
    assert taken == pytest.approx(
        {
            Resource.server_in: 1e-3,
            Resource.server_processors: http_s + work.decode_s + work.render_s,
            Resource.card: work.device_s,
            Resource.server_out: 0.5e-3,
        }
    )
    limits = {limit.resource: limit for limit in layout.limits()}
    assert limits[Resource.card].pictures_per_s == pytest.approx(3 / work.device_s)
    assert limits[Resource.server_processors].units == 12
    assert limits[Resource.card].busy(30) == pytest.approx(30 * work.device_s / 3)
    rates = [limit.pictures_per_s for limit in layout.limits()]
    assert rates == sorted(rates)


def test_an_ingress_passes_requests_and_answers_on(work: Work, cluster: Cluster) -> None:
    layout = layout_of(work, cluster, cards=3, ingresses=2)
    assert layout.seconds(Resource.ingress_processors) == pytest.approx(0.5e-3 + 1.5 * MB * 2e-9)
    assert layout.seconds(Resource.ingress_in) == layout.seconds(Resource.ingress_out) == pytest.approx(1.5e-3)
    assert layout.machines[Resource.ingress_processors].count == 2


def test_a_machine_without_a_card_computes_and_decodes_with_the_same_processors(work: Work, cluster: Cluster) -> None:
    work = replace(work, on_cpu=True)
    layout = layout_of(work, cluster, cards=2, ingresses=0)
    serial_s = 1e-3 + 1.5 * MB * 2e-9 + work.decode_s + work.render_s
    assert layout.seconds(Resource.machine) == pytest.approx(work.device_s + serial_s / 4)
    assert not {Resource.card, Resource.server_processors} & layout.machines.keys()
    latency = sum(step.seconds + step.then_s for step in layout.part if step.resource is Resource.machine)
    assert latency == pytest.approx(work.device_s + serial_s)


def test_engines_share_the_tiles_and_the_ingress_does_the_rest(work: Work, cluster: Cluster) -> None:
    layout = layout_of(work, replace(cluster, block_tiles=4), cards=2, ingresses=1)
    assert layout.parts == 4
    computed = 1 + 1 / 8  # one of the eight rows of tiles is computed twice
    hop_s = 0.5e-3 + (computed * 3 * MB + 0.1 * MB) / 4 * 2e-9
    assert layout.seconds(Resource.card) == pytest.approx(computed * work.device_s)
    assert layout.seconds(Resource.server_processors) == pytest.approx(4 * hop_s)
    assert layout.seconds(Resource.ingress_processors) == pytest.approx(
        1e-3 + 1.5 * MB * 2e-9 + work.decode_s + 4 * hop_s + work.map_s + work.render_s
    )
    assert layout.seconds(Resource.ingress_out) == pytest.approx((computed * 3 + 0.5) * 1e-3)
    assert layout.seconds(Resource.ingress_in) == pytest.approx((1 + 0.1) * 1e-3)


def test_a_block_that_has_all_tiles_is_the_picture(work: Work) -> None:
    assert work.blocks(8) == (1, 1.0)
    assert work.blocks(100) == (1, 1.0)
    assert work.blocks(1) == pytest.approx((48, 1 + 7 / 8))


@pytest.mark.parametrize("block_tiles", [0, 4])
def test_cards_and_ingresses_suffice_for_their_rate_and_one_fewer_does_not(
    work: Work, cluster: Cluster, block_tiles: int
) -> None:
    cluster = replace(cluster, block_tiles=block_tiles)
    cards = cards_for(work, cluster, 2_000)
    ingresses = ingresses_for(work, cluster, cards, 2_000)
    assert cards > 2 and ingresses > 1
    assert layout_of(work, cluster, cards, ingresses).limits()[0].busy(2_000) <= BUSY_SHARE
    assert layout_of(work, cluster, cards - 1, ingresses).limits()[0].busy(2_000) > BUSY_SHARE
    assert layout_of(work, cluster, cards, ingresses - 1).limits()[0].busy(2_000) > BUSY_SHARE


def test_one_server_needs_no_ingress_and_engines_do(work: Work, cluster: Cluster) -> None:
    assert ingresses_for(work, cluster, 1, 1.0) == 0
    assert ingresses_for(work, replace(cluster, ingresses=3), 1, 1.0) == 3
    assert ingresses_for(work, replace(cluster, block_tiles=4), 1, 1.0) == 1


@pytest.mark.parametrize("ingresses", [None, 0, 1])
def test_the_rate_with_short_queues_keeps_the_busiest_at_its_share(
    work: Work, cluster: Cluster, ingresses: int | None
) -> None:
    cluster = replace(cluster, ingresses=ingresses)
    rate = short_queues_rate(work, cluster, 50)
    there = ingresses_for(work, cluster, 50, rate)
    assert layout_of(work, cluster, 50, there).limits()[0].busy(rate) == pytest.approx(BUSY_SHARE, rel=0.05)
    assert (rate < 1_000) is (ingresses == 1)  # one ingress is the limit of 50 cards


@pytest.mark.parametrize(
    ("name", "value", "would_work"),
    [
        ("block_tiles", -1, "use 0 or more"),
        ("ingresses", -1, "use 0 or more"),
        ("processors", 0, "use 1 or more"),
        ("ingress_processors", 0, "use 1 or more"),
        ("network_gbit_s", 0.0, "use more than 0"),
        ("latency_ms", -0.1, "use 0 or more"),
        ("hop_ms", float("nan"), "use 0 or more"),
        ("request_ns_per_byte", float("inf"), "use 0 or more"),
    ],
)
def test_values_that_cannot_work_are_refused(name: str, value: float, would_work: str) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises(InvalidParameter, match=f"^{name} is .*{would_work}"):
        replace(Cluster(), **given)


def test_engines_need_an_ingress() -> None:
    with pytest.raises(InvalidParameter, match="engines get their blocks from an ingress; use 1 or more"):
        Cluster(block_tiles=2, ingresses=0)
