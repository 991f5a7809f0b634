"""Stations serve as queues of the textbooks do."""

from math import factorial
from random import Random
from statistics import mean, stdev

import pytest

from app.sizing.cluster.events import Events, Station

RUNS, CUSTOMERS, WARM_UP = 20, 8_000, 1_000


def erlang_wait_s(rate: float, served_per_s: float, units: int) -> float:
    """The mean wait in a queue with random arrivals, random times of service and several units (Erlang's C formula)."""
    offered = rate / served_per_s
    last = offered**units / factorial(units) / (1 - offered / units)
    waits = last / (sum(offered**number / factorial(number) for number in range(units)) + last)
    return waits / (units * served_per_s - rate)


def mean_wait_s(rate: float, served_per_s: float, units: int, seed: int) -> float:
    random = Random(seed)  # noqa: S311 - no secret
    station, now_s, waits = Station(units), 0.0, []
    for _ in range(CUSTOMERS):
        now_s += random.expovariate(rate)
        seconds = random.expovariate(served_per_s)
        waits.append(station.departure_s(now_s, seconds) - seconds - now_s)
    return mean(waits[WARM_UP:])


@pytest.mark.parametrize("units", [1, 3, 16])
def test_waits_at_several_units_are_those_of_erlang(units: int) -> None:
    rate, served_per_s = 0.7 * units, 1.0
    runs = [mean_wait_s(rate, served_per_s, units, seed) for seed in range(RUNS)]
    expected, error = erlang_wait_s(rate, served_per_s, units), stdev(runs) / RUNS**0.5
    assert error < 0.1 * expected  # so that the next line can fail
    assert abs(mean(runs) - expected) < 3 * error


def test_a_station_serves_in_the_order_of_arrival() -> None:
    station = Station(2)
    ends = [station.departure_s(now_s, seconds) for now_s, seconds in [(0, 5), (1, 1), (1, 1), (1.5, 1), (9, 1)]]
    assert ends == [5, 2, 3, 4, 10]
    assert station.busy_s == 9


def test_actions_run_in_the_order_of_time_and_those_of_one_time_as_they_were_added() -> None:
    events, seen = Events(), list[tuple[str, float]]()

    def again(time_s: float) -> None:
        seen.append(("again", time_s))
        events.add(2.0, lambda time_s: seen.append(("last", time_s)))

    events.add(2.0, lambda time_s: seen.append(("second", time_s)))
    events.add(2.0, lambda time_s: seen.append(("third", time_s)))
    events.add(1.0, again)
    events.run()
    assert seen == [("again", 1.0), ("second", 2.0), ("third", 2.0), ("last", 2.0)]
