"""Clients of several servers, which get the pictures in turn."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import count
from threading import Thread
from time import perf_counter, sleep

from app.sizing.cluster import answer_rate
from benchmarks.throughput.clients import body, connect, post
from benchmarks.throughput.servers import Server

MOST_WAITING = 256
"""The requests of `opened` that wait for an answer at most; later ones wait in the client, which counts as latency."""


@dataclass(frozen=True, slots=True)
class Answers:
    """When each picture was sent, in rising order, and answered, in seconds since the first could be sent."""

    sent_s: tuple[float, ...]
    answered_s: tuple[float, ...]

    @property
    def pictures_per_s(self) -> float:
        """The rate of answers while pictures are sent."""
        return answer_rate(self.sent_s, self.answered_s, warm_up=0)

    def quantile(self, share: float) -> float:
        """The time from sending a picture to its answer that this share of the pictures does not exceed."""
        seconds = sorted(end - start for start, end in zip(self.sent_s, self.answered_s, strict=True))
        return seconds[min(int(share * len(seconds)), len(seconds) - 1)]


def opened(servers: Sequence[Server], picture: bytes, times: Sequence[float]) -> Answers:
    """The answers to a picture that is sent at these times, whether earlier ones are answered or not."""
    contents = [body(picture, server.field) for server in servers]
    started = perf_counter()

    def send(number: int) -> float:
        place = number % len(servers)
        post(connect(servers[place]), servers[place].predict, contents[place])
        return perf_counter() - started

    sent, pending = [], []
    with ThreadPoolExecutor(MOST_WAITING) as pool:
        for number, time_s in enumerate(times):
            sleep(max(started + time_s - perf_counter(), 0.0))
            sent.append(perf_counter() - started)
            pending.append(pool.submit(send, number))
    return Answers(tuple(sent), tuple(each.result() for each in pending))


def closed(servers: Sequence[Server], picture: bytes, clients: int, pictures: int) -> Answers:
    """The answers to clients that each send the picture again when it is answered."""
    numbers, found, failures = count(), list[tuple[float, float]](), list[Exception]()
    contents = [body(picture, server.field) for server in servers]
    started = perf_counter()

    def client() -> None:
        try:
            while (number := next(numbers)) < pictures:
                place, sent_s = number % len(servers), perf_counter() - started
                post(connect(servers[place]), servers[place].predict, contents[place])
                found.append((sent_s, perf_counter() - started))
        except Exception as error:
            failures.append(error)

    threads = [Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    sent, answered = zip(*sorted(found), strict=True)
    return Answers(sent, answered)
