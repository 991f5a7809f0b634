"""Damaged files of all formats: each is refused or answered in bounded time, and never with 5xx."""

import base64
import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from random import Random
from time import monotonic

from benchmarks.torture.clients import RAW, Answer, Request, send
from benchmarks.torture.family import MB, holdings
from benchmarks.torture.found import Found
from benchmarks.torture.mutations import damaged
from benchmarks.torture.progress import Progress
from benchmarks.torture.samples import samples
from benchmarks.torture.served import POOL_THREADS, Served

CLIENTS = 4
LIMIT_S = 20.0
"""The longest time of one file: the processor time that a decoder may take, shared by all clients and the machine."""
WARM_UPS = 3
CHUNK = 200


def run(server: Served, model: str, count: int, seed: int) -> Found:
    """Sends `count` damaged files to a model."""
    good = samples()
    with ThreadPoolExecutor(CLIENTS) as pool:
        usual = list(pool.map(lambda data: send(server.port, _raw(model, data)), [*good.values()] * WARM_UPS))
        if any(answer.status != 200 for answer in usual):
            raise RuntimeError("a good file was not answered")
        server.settle()
        before, started = holdings(server.pid), monotonic()
        rows, progress = [], Progress("damaged files", count)
        files = _files(list(good), list(good.values()), count, seed, model)
        while chunk := list(islice(files, CHUNK)):
            answers = pool.map(lambda each: send(server.port, each[2]), chunk)
            rows += [(name, kind, answer) for (name, kind, _), answer in zip(chunk, answers, strict=True)]
            progress.show(len(rows))
    seconds, held = monotonic() - started, server.settle()
    left = server.left(before.files, before.threads + POOL_THREADS, before.processes)
    return _found(rows, seconds, [*held, *left], holdings(server.pid).memory_bytes - before.memory_bytes, server.log)


def _files(
    names: list[str], files: list[bytes], count: int, seed: int, model: str
) -> Iterator[tuple[str, str, Request]]:
    rng = Random(seed)  # noqa: S311 - no secret
    ways = (_raw, _raw, _form, _base64)
    for _ in range(count):
        number, kind, data = damaged(rng, files)
        yield names[number], kind, rng.choice(ways)(model, data)


def _raw(model: str, data: bytes) -> Request:
    return Request("POST", f"/v1/models/{model}/predict", data, RAW)


def _form(model: str, data: bytes) -> Request:
    head = b'--B\r\nContent-Disposition: form-data; name="image"; filename="a"\r\n\r\n'
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    return Request("POST", f"/v1/models/{model}/predict", head + data + b"\r\n--B--\r\n", headers)


def _base64(model: str, data: bytes) -> Request:
    text = base64.b64encode(data).decode()
    body = {"inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": [text]}]}
    return Request("POST", f"/v2/models/{model}/infer", json.dumps(body).encode(), {"Content-Type": "application/json"})


def _found(rows: list[tuple[str, str, Answer]], seconds: float, left: list[str], grown: int, log: Path) -> Found:
    faults = [
        f"{name}, {kind}: {answer.status} after {answer.seconds:.1f} s {answer.body[:200]!r}"
        for name, kind, answer in rows
        if not 200 <= answer.status < 500 or answer.seconds > LIMIT_S
    ]
    faults += [f"still held: {each}" for each in left]
    statuses = Counter(answer.status for _, _, answer in rows)
    slowest = max(rows, key=lambda row: row[2].seconds)
    figures = {
        "files": len(rows),
        "seconds": round(seconds),
        "statuses": {str(status): number for status, number in sorted(statuses.items())},
        "formats": _by(rows, 0),
        "damages": _by(rows, 1),
        "slowest": {"format": slowest[0], "damage": slowest[1], "seconds": round(slowest[2].seconds, 2)},
        "memory_grown_mb": round(grown / MB),
    }
    refused = sum(number for status, number in statuses.items() if 400 <= status < 500)
    summary = (
        f"{len(rows):,} files: {refused:,} refused, {statuses[200]:,} answered, slowest {slowest[2].seconds:.2f} s"
    )
    return Found(figures, summary, faults)


def _by(rows: list[tuple[str, str, Answer]], column: int) -> dict[str, dict[str, object]]:
    """Refused, answered and slowest by the format or the damage."""
    found: dict[str, list[Answer]] = {}
    for row in rows:
        found.setdefault(str(row[column]), []).append(row[2])
    return {
        name: {
            "refused": sum(answer.status != 200 for answer in answers),
            "answered": sum(answer.status == 200 for answer in answers),
            "slowest_s": round(max(answer.seconds for answer in answers), 2),
        }
        for name, answers in sorted(found.items())
    }
