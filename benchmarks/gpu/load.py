"""Load from clients in several processes for a given time, so that the clients' interpreter is not the limit."""

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
    """The throughput and latencies of clients that post a picture repeatedly for `at_least_s`, each at least once."""
    processes = min(MOST_PROCESSES, clients, max(1, len(os.sched_getaffinity(0)) // 4))
    shares = [len(range(number, clients, processes)) for number in range(processes)]
    content = body(picture, server.field)
    with ProcessPoolExecutor(processes, get_context("spawn")) as pool:
        list(pool.map(_warm, range(processes)))  # starts the processes before the measurement
        started = perf_counter()
        runs = [pool.submit(_clients, server.port, server.predict, content, share, at_least_s) for share in shares]
        seconds = [each for run in runs for each in run.result()]
        elapsed = perf_counter() - started
    return Load(len(seconds) / elapsed, tuple(seconds))


def _warm(_: int) -> None:
    pass


def _clients(port: int, path: str, content: bytes, clients: int, at_least_s: float) -> list[float]:
    """The seconds of each request of `clients` clients, which are threads of this process."""
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
