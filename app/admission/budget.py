"""A budget of the whole process: admits requests, and tells those that it refuses when to come back.

A budget is shared by requests of all sizes. Sizes are divided into lines, each up to four times as large as the next.
Every line but the first, which has the largest requests, is guaranteed an equal part of the budget. So large requests
never lock out small ones. What is not guaranteed is for all, in the order of arrival.

A refused request gets a promise: the time at which there should be room for it, by the measured rate, after everything
that was admitted or promised before. Promised room counts as taken until the promise lapses, so that a request that
arrives in between does not take it.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from math import ceil
from random import random
from threading import RLock

from app.admission.pace import Pace
from app.admission.promises import Promise, Promises
from app.errors import Overloaded

LINES = 4
GUARANTEED_SHARE = 1 / 8
"""The share of a budget that each line of smaller requests is guaranteed."""
IDLE_SHARE = 1 / 4
"""Below this share of the budget, promises keep nobody out: those who were promised room may not come back."""
GUESS_S = 1.0
"""The time of one request, in seconds, before anything was measured."""
LONGEST_S = 600.0
"""The longest wait that clients are told, before the jitter: an estimate for a later time would be worthless."""
MARGIN = 1.15
"""The told time is at least this many times the estimate, because the estimate may be too short."""
JITTER = 0.2
"""The largest random share of the estimate that is added, so that clients do not come back all at once."""
UNMEASURED_SHARE = 0.5
"""The share of the rate that was measured when a model was loaded, which was that of its network alone."""
LEAST_SHARE = 0.8
"""The least share of the rate that is expected for a request while smaller ones keep coming.

Their real share may be lower. But then clients would be told times at which the server has nothing left to do, if the
smaller requests stop. See tests/admission/test_retry_after.py.
"""
HALF_LIFE_SHARE = 1 / 16
LOADED_SHARE = 1 / 64
"""The rate of a budget that is used less than this is that of its clients, not that of the server."""


@dataclass(frozen=True, slots=True)
class Demand:
    """What a request needs of a budget.

    amount: in the budget's unit
    work: the work until the amount is free again, in the same unit: more than `amount` for requests that count less
    key: is equal for the same request when it comes back
    work_s: the expected seconds for a unit of work, if they are known
    what: the request, for messages
    """

    amount: int
    work: int
    key: Hashable = None
    work_s: float | None = None
    what: str = "the request"


@dataclass(slots=True, eq=False)
class Hold:
    """A part of a budget that a request takes until it is released; `left` is the work that has not run yet."""

    amount: int
    left: int
    line: int
    key: Hashable = None


@dataclass(slots=True)
class _Line:
    """The requests of a line of sizes.

    used, left: the units that are held, and their work that has not run yet
    promised, promised_work: the units that were promised, and their work
    ran: the work that has run recently: it loses half its weight in `half_life` units of all work
    """

    used: int = 0
    left: int = 0
    promised: int = 0
    promised_work: int = 0
    ran: float = 0.0
    held: set[Hold] = field(default_factory=set)


class Budget:
    """The budget `name` of `limit` units; no request takes more than `share`. Any thread may call any method.

    name: the setting that limits the budget
    unit: the unit in the plural, for messages
    draw: returns random numbers in [0, 1)
    returns_admitted, returns_refused: the refused clients that came back as they were told, by what they got then
    """

    def __init__(
        self,
        name: str,
        unit: str,
        limit: int,
        share: int,
        clock: Callable[[], float],
        draw: Callable[[], float] = random,
    ) -> None:
        self.name, self.limit, self.share = name, limit, share
        self._unit, self._clock, self._draw = unit, clock, draw
        self._lines = [_Line() for _ in range(LINES)]
        self._guaranteed = max(0, min(int(limit * GUARANTEED_SHARE), (limit - share) // (LINES - 1)))
        self._promises = Promises(self._promise_ended)
        self._half_life = max(1.0, limit * HALF_LIFE_SHARE)
        self._any_pace, self._loaded_pace = Pace(self._half_life), Pace(self._half_life)
        self._measured_s = 0.0  # the time of the last measurement
        self.returns_admitted = self.returns_refused = 0
        self.lock = RLock()

    @property
    def used(self) -> int:
        """The units that are held."""
        return sum(line.used for line in self._lines)

    @property
    def left(self) -> int:
        """The work that is held and has not run yet."""
        return sum(line.left for line in self._lines)

    @property
    def promised(self) -> int:
        """The units that refused clients were told of, and that are still kept for them."""
        return sum(line.promised for line in self._lines)

    def admit(self, demand: Demand) -> Hold:
        """Takes a part of the budget; raises Overloaded if there is no room now."""
        with self.lock:
            now_s, number = self._clock(), self._line_of(demand.amount)
            comes_back = self._promises.take(demand.key, now_s) is not None
            enters = self._fits if comes_back else self._may_enter
            if demand.amount and not enters(number, demand.amount):
                self.returns_refused += comes_back
                raise self._refusal(demand, number, comes_back, now_s)
            self.returns_admitted += comes_back
            if not self.left:
                self._measured_s = now_s
            hold, line = Hold(demand.amount, demand.work, number, demand.key), self._lines[number]
            line.held.add(hold)
            line.used += hold.amount
            line.left += hold.left
            return hold

    def grow(self, hold: Hold, amount: int, what: str | None = None) -> None:
        """Adds units to a hold. With `what`, the request for messages, raises Overloaded beyond the limit."""
        with self.lock:
            if hold not in self._lines[hold.line].held:
                return
            if what is not None and self.used + amount > self.limit:
                demand = Demand(hold.amount + amount, hold.amount + amount, hold.key, what=what)
                raise self._refusal(demand, hold.line, True, self._clock())
            self._change(hold, amount)

    def shrink(self, hold: Hold, amount: int | None = None) -> None:
        """Frees units of a hold; None: all of them."""
        with self.lock:
            if hold in self._lines[hold.line].held:
                self._change(hold, -(hold.amount if amount is None else amount))

    def _change(self, hold: Hold, amount: int) -> None:
        hold.amount, hold.left = hold.amount + amount, hold.left + amount
        self._lines[hold.line].used += amount
        self._lines[hold.line].left += amount

    def release(self, hold: Hold) -> bool:
        """Frees what is held; False if it was free already."""
        with self.lock:
            line = self._lines[hold.line]
            if hold not in line.held:
                return False
            line.held.remove(hold)
            line.used -= hold.amount
            line.left -= hold.left
            return True

    def ran(self, hold: Hold, work: int) -> None:
        """Reports work of a hold that has run."""
        with self.lock:
            if hold in self._lines[hold.line].held:
                hold.left -= work
                self._lines[hold.line].left -= work
            for line in self._lines:
                line.ran *= 0.5 ** (work / self._half_life)
            self._lines[hold.line].ran += work

    def measure(self, work: int) -> None:
        """Measures the rate: this work, of any holds, has run since the last measurement."""
        with self.lock:
            now_s = self._clock()
            seconds, self._measured_s = now_s - self._measured_s, now_s
            self._any_pace.add(work, seconds)
            if self.left >= self.limit * LOADED_SHARE:
                self._loaded_pace.add(work, seconds)

    def work_ahead(self, amount: int) -> int:
        """The work of holds in the line of such requests, which run before a new one."""
        with self.lock:
            return self._lines[self._line_of(amount)].left

    def rate(self, work_s: float | None = None) -> float | None:
        """Units of work per second: as measured under load, else the best that is known; None: nothing is known."""
        if self._loaded_pace.per_s is not None:
            return self._loaded_pace.per_s
        known = [UNMEASURED_SHARE / work_s] if work_s else []
        return max((*known, self._any_pace.per_s or 0.0)) or None

    def told_s(self, wait_s: float) -> int:
        """The whole seconds to tell a client for an estimate: with a margin, jitter, and a limit."""
        least_s, jitter_s = min(MARGIN * wait_s, LONGEST_S), JITTER * min(wait_s, LONGEST_S)
        return max(1, ceil(least_s + jitter_s * self._draw() + self._draw()))

    def _line_of(self, amount: int) -> int:
        """The number of the line of requests of this amount; 0: the largest."""
        number = 0
        while number < LINES - 1 and amount * 4 ** (number + 1) <= self.share:
            number += 1
        return number

    def _fits(self, number: int, amount: int) -> bool:
        """Whether there is room, without what smaller requests are guaranteed."""
        own, smaller = self._lines[: number + 1], self._lines[number + 1 :]
        kept = sum(max(line.used, self._guaranteed) for line in smaller)
        return sum(line.used for line in own) + kept + amount <= self.limit

    def _may_enter(self, number: int, amount: int) -> bool:
        """Whether a request that was promised nothing may take this amount."""
        if not self._fits(number, amount):
            return False
        used, line = self.used, self._lines[number]
        if not used or used + amount <= self.limit * IDLE_SHARE:
            return True
        if number > 0 and line.used + line.promised + amount <= self._guaranteed:
            return True
        own, smaller = self._lines[: number + 1], self._lines[number + 1 :]
        kept = sum(max(each.used + each.promised, self._guaranteed) for each in smaller)
        return sum(each.used + each.promised for each in own) + kept + amount <= self.limit

    def _refusal(self, demand: Demand, number: int, comes_back: bool, now_s: float) -> Overloaded:
        wait_s, used, promised = self._wait_s(demand, number, comes_back), self.used, self.promised
        told_s = self.told_s(wait_s)
        if MARGIN * wait_s <= LONGEST_S:
            line = self._lines[number]
            line.promised, line.promised_work = line.promised + demand.amount, line.promised_work + demand.work
            self._promises.add(demand.key, Promise(demand.amount, demand.work, number, now_s + told_s), now_s)
        return Overloaded(
            f"{demand.what} needs {demand.amount:,} {self._unit} of {self.name}, which is {self.limit:,}; {used:,} are "
            f"taken and {promised:,} are promised; come back in {told_s} s",
            told_s,
            self.name,
        )

    def _wait_s(self, demand: Demand, number: int, comes_back: bool) -> float:
        """The time until there is room, after everything that is held, or also what is promised.

        Room is free when the part of all work has run that frees enough of it; later if smaller requests keep coming.
        Or, for requests within what their line is guaranteed, when the work of the line has run, which shares the rate
        with the other lines.
        """
        counted = 0 if comes_back else 1  # who comes back is the first of those who were promised room
        taken = [line.used + counted * line.promised for line in self._lines]
        beyond = sum(max(each - self._guaranteed, 0) for each in taken[number + 1 :])
        kept = self._guaranteed * (LINES - 1 - number)
        freeing = sum(taken[: number + 1]) + beyond  # the units whose release makes room for this request
        excess = max(freeing + kept + demand.amount - self.limit, 0)
        rate = self.rate(demand.work_s)
        if rate is None:
            return GUESS_S * max(excess, 1) / max(demand.amount, 1)
        left = sum(line.left + counted * line.promised_work for line in self._lines)
        work = min(excess / max(freeing, 1), 1.0) * left / self._rate_share(number)
        if number > 0 and self._guaranteed:
            ahead = max(taken[number] + demand.amount - self._guaranteed, 0)
            busy = sum(bool(line.used) for line in self._lines)
            work = min(work, ahead * demand.work / max(demand.amount, 1) * max(busy, 1))
        return work / rate

    def _rate_share(self, number: int) -> float:
        """The recent share of this line and of larger requests in all work; at least a fair share or LEAST_SHARE."""
        own = self._lines[: number + 1]
        busy = sum(bool(line.used) for line in self._lines)
        fair = max(sum(bool(line.used) for line in own), 1) / max(busy, 1)
        ran = sum(line.ran for line in self._lines)
        return min(max(fair, LEAST_SHARE, sum(line.ran for line in own) / ran if ran else 1.0), 1.0)

    def _promise_ended(self, promise: Promise) -> None:
        line = self._lines[promise.line]
        line.promised, line.promised_work = line.promised - promise.amount, line.promised_work - promise.work
