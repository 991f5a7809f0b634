"""Simulates pictures on their way through a cluster."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from random import Random

from app.sizing.cluster.events import Events, Station
from app.sizing.cluster.layout import OF_INGRESSES, Layout, Resource, Step
from app.sizing.cluster.parts import Balance

WARM_UP = 0.2
"""The share of the pictures, the first ones, that are not counted, because they find empty queues."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a simulation found.

    arrived, answered: the pictures, all of them
    pictures_per_s: the rate of answers after the warm-up, while pictures come
    seconds: from the arrival of a picture to its answer, in rising order, without the warm-up
    busy_s: the seconds for which the units of each resource were busy, together, for all pictures
    """

    arrived: int
    answered: int
    pictures_per_s: float
    seconds: Sequence[float]
    busy_s: dict[Resource, float]

    def quantile(self, share: float) -> float:
        """The time that this share of the pictures does not exceed."""
        return self.seconds[min(int(share * len(self.seconds)), len(self.seconds) - 1)]


def poisson(rate: float, pictures: int, seed: int) -> Iterator[float]:
    """The times of pictures that come at random, independently of each other, `rate` of them in a second on average."""
    random, time_s = Random(seed), 0.0  # noqa: S311 - no secret
    for _ in range(pictures):
        time_s += random.expovariate(rate)
        yield time_s


def answer_rate(sent_s: Sequence[float], answered_s: Sequence[float], warm_up: float) -> float:
    """Answers per second from the end of the warm-up until the last picture is sent; 0 if there is nothing in between.

    Later answers do not count: no pictures come any more, and those that are left are answered faster.
    """
    ends = sorted(answered_s)
    first_s, last_s = ends[int(warm_up * len(ends))], max(sent_s)
    between = [end for end in ends if first_s < end <= last_s]
    return len(between) / (between[-1] - first_s) if between else 0.0


def simulate_open(
    layout: Layout, times: Iterable[float], balance: Balance, seed: int = 0, warm_up: float = WARM_UP
) -> Outcome:
    """The outcome of pictures that come at these times, in rising order, whether earlier ones are answered or not."""
    run, rest = _Run(layout, balance, seed), iter(times)

    def arrive(now_s: float) -> None:
        run.begin(now_s, lambda _: None)
        _add_next()

    def _add_next() -> None:
        time_s = next(rest, None)
        if time_s is not None:
            run.events.add(time_s, arrive)

    _add_next()
    run.events.run()
    return run.outcome(warm_up)


def simulate_closed(
    layout: Layout,
    clients: int,
    pictures: int,
    balance: Balance,
    seed: int = 0,
    *,
    pause_s: float = 0.0,
    warm_up: float = WARM_UP,
) -> Outcome:
    """The outcome of clients that send their next picture `pause_s` after the answer to the one before."""
    run, left = _Run(layout, balance, seed), iter(range(pictures))

    def send(now_s: float) -> None:
        if next(left, None) is not None:
            run.begin(now_s, lambda at_s: run.events.add(at_s + pause_s, send))

    for _ in range(clients):
        run.events.add(0.0, send)
    run.events.run()
    return run.outcome(warm_up)


Ended = Callable[[float], None]


class _Run:
    """The state of a simulation: its stations, and the pictures that were answered."""

    def __init__(self, layout: Layout, balance: Balance, seed: int) -> None:
        self.events = Events()
        self._layout, self._random = layout, Random(seed)  # noqa: S311 - no secret
        self._stations = {
            resource: [Station(each.units) for _ in range(each.count)] for resource, each in layout.machines.items()
        }
        counts = {resource in OF_INGRESSES: each.count for resource, each in layout.machines.items()}
        self._servers, self._ingresses = counts[False], counts.get(True, 1)
        self._in_work = [0] * self._servers  # the pictures, or parts, that each server has
        self._turns = count()
        self._choose: Callable[[], int] = {
            Balance.in_turn: lambda: next(self._turns) % self._servers,
            Balance.random: lambda: self._random.randrange(self._servers),
            Balance.less_busy_of_two: self._less_busy_of_two,
        }[balance]
        self._arrived = 0
        self._answers: list[tuple[float, float]] = []  # the times of arrival and answer

    def begin(self, now_s: float, ended: Ended) -> None:
        """Begins with a picture; calls `ended` with the time of its answer."""
        ingress, self._arrived = self._arrived % self._ingresses, self._arrived + 1
        parts = self._layout.parts
        left = parts

        def answer(at_s: float) -> None:
            self._answers.append((now_s, at_s))
            ended(at_s)

        def join(at_s: float) -> None:
            nonlocal left
            left -= 1
            if not left:
                self._walk(self._layout.after, ingress, 0, at_s, answer)

        def divide(at_s: float) -> None:
            for _ in range(parts):
                self._walk_part(ingress, at_s, join)

        self._walk(self._layout.before, ingress, 0, now_s, divide)

    def _walk_part(self, ingress: int, now_s: float, ended: Ended) -> None:
        server = self._choose()
        self._in_work[server] += 1

        def end(at_s: float) -> None:
            self._in_work[server] -= 1
            ended(at_s)

        self._walk(self._layout.part, ingress, server, now_s, end)

    def _walk(self, steps: Sequence[Step], ingress: int, server: int, now_s: float, ended: Ended) -> None:
        """Takes the steps from now on, at the stations of this ingress and this server."""
        rest = iter(steps)

        def go_on(at_s: float) -> None:
            step = next(rest, None)
            if step is None:
                ended(at_s)
                return
            station = self._stations[step.resource][ingress if step.resource in OF_INGRESSES else server]
            self.events.add(station.departure_s(at_s, step.seconds) + step.then_s, go_on)

        go_on(now_s)

    def _less_busy_of_two(self) -> int:
        if self._servers == 1:
            return 0
        first, second = self._random.randrange(self._servers), self._random.randrange(self._servers - 1)
        second += second >= first  # another one
        return first if self._in_work[first] <= self._in_work[second] else second

    def outcome(self, warm_up: float) -> Outcome:
        sent, answered = zip(*sorted(self._answers), strict=True)
        first = int(warm_up * len(sent))
        return Outcome(
            self._arrived,
            len(answered),
            answer_rate(sent, answered, warm_up),
            sorted(end - start for start, end in zip(sent[first:], answered[first:], strict=True)),
            {resource: sum(each.busy_s for each in stations) for resource, stations in self._stations.items()},
        )
