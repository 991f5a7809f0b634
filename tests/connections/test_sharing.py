"""The event loop leaves the interpreter to lanes that compute."""

import asyncio
from collections.abc import Callable
from selectors import DefaultSelector
from time import monotonic, thread_time

import pytest

from app.connections import sharing
from app.connections.sharing import BURST_S, LONGEST_S, SHARE, SharingSelector

WALL_S = 0.6
TURN_S = 0.001


def flooded(is_needed: Callable[[], bool]) -> tuple[float, float]:
    """The processor time of a loop that always has work, and the time that it took, about WALL_S."""

    async def flood() -> tuple[float, float]:
        used_s, started_s = thread_time(), monotonic()
        while monotonic() < started_s + WALL_S:
            turn_s = thread_time()
            while thread_time() < turn_s + TURN_S:
                pass
            await asyncio.sleep(0)
        return thread_time() - used_s, monotonic() - started_s

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(SharingSelector(is_needed))) as runner:
        return runner.run(flood())


def test_a_flooded_loop_takes_its_share_while_lanes_compute() -> None:
    used_s, wall_s = flooded(lambda: True)
    assert used_s < SHARE * wall_s + BURST_S + 0.1


def test_nothing_sleeps_while_no_lane_computes(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(sharing, "sleep", slept.append)
    flooded(lambda: False)
    assert not slept
    flooded(lambda: True)
    assert slept and max(slept) <= LONGEST_S


def test_a_loop_that_has_little_to_do_never_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    slept: list[float] = []
    monkeypatch.setattr(sharing, "sleep", slept.append)

    async def idle() -> None:
        for _ in range(20):
            await asyncio.sleep(0.01)

    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(SharingSelector(lambda: True))) as runner:
        runner.run(idle())
    assert not slept


def test_the_sleep_is_a_part_of_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """So timers are not late by it."""
    timeouts: list[float | None] = []

    def select(_: object, timeout: float | None = None) -> list[object]:
        timeouts.append(timeout)
        return []

    monkeypatch.setattr(DefaultSelector, "select", select)
    with SharingSelector(lambda: True) as selector:
        for timeout in (10 * LONGEST_S, LONGEST_S / 2, None):
            selector._credit_s = -10.0
            selector.select(timeout)
    first, second, third = timeouts
    assert first is not None and 0 <= first <= 9.1 * LONGEST_S and second == 0 and third is None
