"""Load for a while by clients in several processes, so that the clients' own interpreter is not the limit."""

import http.client
import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from threading import Thread
from time import perf_counter

from benchmarks.throughput.clients import TIMEOUT_S, Load, body, post
from benchmarks.throughput.servers import Server

MOST_PROCESSES = 4


def load(server: Server, picture: bytes, clients: int, at_least_s: float) -> Load:
    """What clients saw that post a picture again and again for so long, each once at least."""
    processes = min(MOST_PROCESSES, clients, max(1, len(os.sched_getaffinity(0)) // 4))
    shares = [len(range(number, clients, processes)) for number in range(processes)]
    content = body(picture, server.field)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        list(pool.map(_warm, range(processes)))  # processes start before time counts
        started = perf_counter()
        runs = [pool.submit(_clients, server.port, server.predict, content, share, at_least_s) for share in shares]
        seconds = [each for run in runs for each in run.result()]
        elapsed = perf_counter() - started
    return Load(len(seconds) / elapsed, tuple(seconds))


def _warm(_: int) -> None:
    pass


def _clients(port: int, path: str, content: bytes, clients: int, at_least_s: float) -> list[float]:
    """The seconds that each request took, of so many clients in threads of this process."""
    seconds: list[float] = []
    failures: list[Exception] = []
    started = perf_counter()

    def client() -> None:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)
            while True:
                before = perf_counter()
                post(connection, path, content)
                seconds.append(perf_counter() - before)
                if perf_counter() - started >= at_least_s:
                    break
        except Exception as error:
            failures.append(error)

    threads = [Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise RuntimeError(f"{len(failures)} of {clients} clients failed: {failures[0]!r}")
    return seconds
