"""The best number of tiles in a batch is found, in virtual time."""

from collections.abc import Callable

import pytest

from app.pipeline.batching import GAIN, REPETITIONS, fastest

SIZES = [1, 2, 4, 8, 16]
BUDGET_S = 2.0


class Machine:
    """A batch takes `seconds` of its number of tiles; the first batch of each number takes `first` times as long."""

    def __init__(self, seconds: Callable[[int], float], first: float = 10.0) -> None:
        self.now, self.runs = 0.0, [0] * 17
        self._seconds, self._first = seconds, first

    def run(self, tiles: int) -> None:
        slower = 1.0 if self.runs[tiles] else self._first
        self.now += slower * self._seconds(tiles)
        self.runs[tiles] += 1

    def seconds_a_tile(self, tiles: int) -> float:
        started = self.now
        self.run(tiles)
        return (self.now - started) / tiles

    def fastest(self) -> int:
        return fastest(SIZES, self.seconds_a_tile, BUDGET_S, lambda: self.now)


@pytest.mark.parametrize("best", SIZES)
def test_the_number_with_the_least_time_per_tile_is_found(best: int) -> None:
    assert Machine(lambda tiles: tiles * (1e-3 if tiles == best else 2e-3)).fastest() == best


def test_a_larger_batch_must_gain_enough_time_per_tile() -> None:
    assert Machine(lambda tiles: 1e-3 * tiles * (1.0 if tiles == 1 else (1 + GAIN) / 2)).fastest() == 1


def test_numbers_run_in_turn_so_that_a_disturbance_does_not_change_the_result() -> None:
    """In one of the five rounds every batch takes five times as long."""
    machine = Machine(lambda _: 0.0)

    def seconds(tiles: int) -> float:
        disturbed = machine.runs[tiles] == REPETITIONS // 2
        return (5e-3 if disturbed else 1e-3) * tiles / (2 if tiles >= 4 else 1)

    machine._seconds = seconds
    assert machine.fastest() == 4
    assert [machine.runs[tiles] for tiles in SIZES] == [REPETITIONS + 1] * len(SIZES)


@pytest.mark.parametrize("seconds_a_tile", [0.002, 0.05, 0.2])
def test_a_slow_network_is_not_tried_with_batches_that_exceed_the_budget(seconds_a_tile: float) -> None:
    machine = Machine(lambda tiles: seconds_a_tile * tiles, first=1.5)
    assert machine.fastest() == 1
    assert machine.now <= 1.5 * BUDGET_S


def test_one_tile_is_tried_however_long_it_takes() -> None:
    machine = Machine(lambda tiles: 60.0 * tiles)
    assert machine.fastest() == 1
    assert sum(machine.runs) == 2
