"""The simulation agrees with closed forms, loses no picture, and repeats itself."""

from dataclasses import replace
from statistics import mean, stdev

import pytest

from app.sizing import Work
from app.sizing.cluster import (
    Balance,
    Cluster,
    Layout,
    Machines,
    Resource,
    Step,
    layout_of,
    poisson,
    simulate_closed,
    simulate_open,
)

SERVICE_S, RUNS, PICTURES = 0.5, 12, 4_000
STAGES = (Resource.server_in, Resource.server_processors, Resource.card, Resource.server_out)


def cards(count: int) -> Layout:
    """Servers that are a card each, and nothing else."""
    return Layout({Resource.card: Machines(count, 1)}, (), (Step(Resource.card, SERVICE_S),), 1, ())


def waits(count: int, busy: float, balance: Balance, runs: int = RUNS) -> list[float]:
    """The mean wait for a card in several simulations."""
    found = [
        simulate_open(cards(count), poisson(busy * count / SERVICE_S, PICTURES, seed), balance, seed)
        for seed in range(runs)
    ]
    return [mean(each.seconds) - SERVICE_S for each in found]


@pytest.mark.parametrize("count", [1, 5])
@pytest.mark.parametrize("busy", [0.3, 0.7])
def test_waits_for_random_servers_are_those_of_pollaczek_and_khinchine(count: int, busy: float) -> None:
    """Random arrivals that are divided at random arrive at random at each server; all times of service are equal."""
    runs = waits(count, busy, Balance.random)
    expected, error = busy * SERVICE_S / (2 * (1 - busy)), stdev(runs) / RUNS**0.5
    assert error < 0.1 * expected  # so that the next line can fail
    assert abs(mean(runs) - expected) < 3 * error


def test_the_less_the_choice_is_left_to_chance_the_shorter_are_the_waits() -> None:
    random, in_turn, of_two = (
        mean(waits(8, 0.8, each, runs=3)) for each in (Balance.random, Balance.in_turn, Balance.less_busy_of_two)
    )
    assert in_turn < 0.8 * random and of_two < 0.8 * random


@pytest.mark.parametrize("servers", [1, 3])
@pytest.mark.parametrize("slowest", STAGES)
def test_saturated_servers_answer_at_the_rate_of_the_slowest_stage(slowest: Resource, servers: int) -> None:
    steps = tuple(Step(each, 0.4 if each is slowest else 0.1, 0.01) for each in STAGES)
    layout = Layout({each: Machines(servers, 1) for each in STAGES}, (), steps, 1, ())
    found = simulate_closed(layout, 10 * servers, 300 * servers, Balance.in_turn)
    assert found.pictures_per_s == pytest.approx(servers / 0.4, rel=1e-9)
    assert layout.limits()[0].resource is slowest
    assert layout.limits()[0].pictures_per_s == pytest.approx(servers / 0.4, rel=1e-12)


@pytest.mark.parametrize("block_tiles", [0, 4, 8])
@pytest.mark.parametrize("network_gbit_s", [0.5, 8.0])
def test_a_saturated_cluster_answers_at_its_lowest_limit(
    work: Work, cluster: Cluster, block_tiles: int, network_gbit_s: float
) -> None:
    cluster = replace(cluster, block_tiles=block_tiles, network_gbit_s=network_gbit_s)
    layout = layout_of(work, cluster, cards=4, ingresses=1)
    found = simulate_closed(layout, clients=60, pictures=3_000, balance=Balance.in_turn)
    assert found.pictures_per_s == pytest.approx(layout.limits()[0].pictures_per_s, rel=1e-2)


def test_a_client_alone_waits_for_no_one(work: Work, cluster: Cluster) -> None:
    layout = layout_of(work, cluster, cards=2, ingresses=1)
    steps = (*layout.before, *layout.part, *layout.after)
    expected = sum(step.seconds + step.then_s for step in steps)
    found = simulate_closed(layout, 1, 20, Balance.in_turn, pause_s=1.0)
    assert found.seconds == pytest.approx([expected] * 16)
    assert found.pictures_per_s == pytest.approx(1 / (expected + 1.0))


def test_parts_are_sent_one_after_another_and_computed_at_once(work: Work, cluster: Cluster) -> None:
    layout = layout_of(work, replace(cluster, block_tiles=4), cards=4, ingresses=1)
    assert layout.parts == 4
    once = sum(step.seconds + step.then_s for step in (*layout.before, *layout.part, *layout.after))
    sending = layout.part[0].seconds
    assert layout.part[0].resource is Resource.ingress_out
    (found,) = simulate_open(layout, [0.0], Balance.in_turn, warm_up=0).seconds
    assert found == pytest.approx(once + 3 * sending)


@pytest.mark.parametrize("block_tiles", [0, 3])
def test_every_picture_is_answered_and_takes_what_the_closed_form_says(
    work: Work, cluster: Cluster, block_tiles: int
) -> None:
    layout = layout_of(work, replace(cluster, block_tiles=block_tiles), cards=6, ingresses=2)
    rate = 0.9 * layout.limits()[0].pictures_per_s
    opened = simulate_open(layout, poisson(rate, 2_000, seed=1), cluster.balance)
    closed = simulate_closed(layout, 7, 2_000, cluster.balance)
    for found in (opened, closed):
        assert found.arrived == found.answered == 2_000
        assert len(found.seconds) == 1_600  # without the warm-up
        assert found.busy_s == pytest.approx({each: 2_000 * layout.seconds(each) for each in layout.machines})
    assert opened.pictures_per_s == pytest.approx(rate, rel=0.1)


def test_a_seed_repeats_a_simulation(work: Work, cluster: Cluster) -> None:
    layout = layout_of(work, cluster, cards=4, ingresses=1)
    rate = 0.8 * layout.limits()[0].pictures_per_s
    first, again, other = (simulate_open(layout, poisson(rate, 500, seed), cluster.balance, seed) for seed in (3, 3, 4))
    assert first == again
    assert first.seconds != other.seconds


def test_quantiles_are_those_of_the_sorted_times() -> None:
    found = simulate_open(cards(1), [0.0, 0.0, 0.0, 0.0], Balance.random, warm_up=0)
    assert [found.quantile(share) for share in (0, 0.5, 0.95, 1)] == [0.5, 1.5, 2.0, 2.0]
