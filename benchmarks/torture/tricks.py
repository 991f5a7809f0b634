"""Bombs and tricks, one after another: what each costs a server beside good pictures and probes.

Each trick runs again and again while a few good pictures are posted, in turn to the attacked server and to an idle
control server on the same processors, so that the delay by the machine is known.
"""

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from threading import Event
from time import monotonic

from benchmarks.torture.bombs import Trick, tricks
from benchmarks.torture.clients import PNG, Request, send
from benchmarks.torture.family import MemoryWatch, holdings
from benchmarks.torture.found import Found
from benchmarks.torture.probes import Probes, probing
from benchmarks.torture.progress import Progress
from benchmarks.torture.served import POOL_THREADS, Served

GROWTH_MB = 300
LIVENESS_S = 0.5
SLOWER = 2.0
PICTURES = 3
LONGEST_S = 120.0
"""How long a trick may run until its first request is answered, and how long a good picture is sent again."""
RETRY_S = 0.2


@dataclass(frozen=True, slots=True)
class Pair:
    """The seconds of good pictures on the attacked server, and on the control."""

    server_s: list[float]
    control_s: list[float]


def run(server: Served, control: Served, good: Request, names: Sequence[str] = ()) -> Found:
    """Runs the tricks whose names contain one of `names`; all by default."""
    chosen = [each for each in tricks() if not names or any(name in each.name for name in names)]
    rows, faults, progress = [], [], Progress("tricks", len(chosen))
    with probing(server.port, control.port) as probes:
        posted(server, control, good, PICTURES)
        before = holdings(server.pid)
        for trick in chosen:
            row, wrong = measured(trick, server, control, good, probes)
            rows.append(row)
            faults += [f"{trick.name}: {each}" for each in wrong]
            print(f"  {trick.kind} {trick.name:48} {row} {'; '.join(wrong)}", flush=True)
            progress.show(len(rows))
    faults += [
        f"still held: {each}"
        for each in server.left(before.files + 2, before.threads + POOL_THREADS, before.processes + 2)
    ]
    return Found({"tricks": rows}, _summary(rows), faults)


def measured(
    trick: Trick, server: Served, control: Served, good: Request, probes: Probes
) -> tuple[dict[str, object], list[str]]:
    """The figures of a trick, and what is wrong."""
    usual = posted(server, control, good, PICTURES)
    probes.take()
    ended, got = Event(), Counter[str]()
    with ThreadPoolExecutor(1) as pool, MemoryWatch(server.pid) as memory:
        attack = pool.submit(trick.run, server, ended, got)
        started = monotonic()
        beside = posted(server, control, good, PICTURES)
        while not got and not attack.done() and monotonic() - started < LONGEST_S:
            ended.wait(0.1)
        ended.set()
        attack.result()
    liveness, held = probes.take(), server.settle()
    slower = median(beside.server_s) / median(usual.server_s)
    control_slower = median(beside.control_s) / median(usual.control_s)
    row: dict[str, object] = {
        "kind": trick.kind,
        "trick": trick.name,
        "got": dict(got.most_common(4)),
        "memory_grew_mb": memory.grown_mb,
        "picture_usual_s": round(median(usual.server_s), 2),
        "picture_beside_s": round(median(beside.server_s), 2),
        "picture_slower": round(slower, 2),
        "control_slower": round(control_slower, 2),
        **liveness.figures(),
    }
    wrong = liveness.faults(LIVENESS_S)
    wrong += [f"memory grew by {memory.grown_mb} MB"] if memory.grown_mb >= GROWTH_MB else []
    if slower / max(control_slower, 1.0) > SLOWER:
        wrong.append(f"a good picture took {slower:.1f} times as long, {control_slower:.1f} times on the control")
    wrong += [f"status {status}" for status in got if status.startswith("5") and status != "503"]
    wrong += [f"still held: {name}" for name in held]
    return row, wrong


def posted(server: Served, control: Served, good: Request, count: int) -> Pair:
    """Posts the good picture in turn to both servers."""
    pair = Pair([], [])
    for _ in range(count):
        for each, seconds in ((server, pair.server_s), (control, pair.control_s)):
            started = monotonic()
            while (answer := send(each.port, good)).status in (429, 503) and monotonic() - started < LONGEST_S:
                Event().wait(RETRY_S)
            if answer.status not in (200, 429, 503):
                raise RuntimeError(f"a good picture got {answer.status}: {answer.body[:300]!r}")
            seconds.append(monotonic() - started)
    return pair


def _summary(rows: Sequence[dict[str, object]]) -> str:
    def most(name: str) -> float:
        return max(float(str(row[name])) for row in rows)

    relative = max(float(str(row["picture_slower"])) / max(float(str(row["control_slower"])), 1.0) for row in rows)
    return (
        f"{len(rows)} tricks: memory + {most('memory_grew_mb'):.0f} MB at most; good picture x "
        f"{most('picture_slower'):.1f}, x {relative:.1f} of the control; /livez {most('livez_max_s'):.2f} s at most, "
        f"control {most('control_livez_max_s'):.2f} s"
    )


def good_picture(model: str, data: bytes) -> Request:
    return Request("POST", f"/v1/models/{model}/predict", data, PNG)
