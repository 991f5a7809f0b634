"""Mixed load: sizes, formats, models, bad and cancelled requests, reloads, v1 and v2; every answer is compared.

After a warm-up, what the idle server holds is recorded; after the load it must hold no more. The memory of its last
third must not exceed that of its first third by more than 3 %.
"""

import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from shutil import rmtree
from statistics import mean, median
from tempfile import TemporaryDirectory
from threading import Event, Lock, Thread
from time import monotonic

from PIL import Image

from app.artifacts import DigestRecord, ModelRepository, read_manifest, write_recalibrated
from benchmarks.torture.clients import Request, send
from benchmarks.torture.family import MB, MemoryWatch, holdings
from benchmarks.torture.found import Found
from benchmarks.torture.known import Known
from benchmarks.torture.probes import probing
from benchmarks.torture.progress import Progress
from benchmarks.torture.requests import Drawer
from benchmarks.torture.served import POOL_THREADS, ROOT, Served, served
from tests.conftest import draw_surface

CLIENTS = 8
BAD, CANCELLED = 0.1, 0.1
WARM_UP = 1 / 6
"""The share of the duration that comes before it as a warm-up."""
RELOAD_S, KEPT = 20.0, 2
"""A model gets another version this often, and keeps this many."""
WARM_RELOAD_S = 4.0
"""The same while warming up: the heap has its full size only after some twenty reloads."""
GROWTH = 0.03
LIVENESS_S = 0.5
SAMPLE_S = 0.25
PIECES = 20
"""The number of means over time of the memory that are recorded."""
_TRAINED = {
    "subspace": ("--model", "Subspace", "--model.backbone", "resnet18", "--tiling.tile_size", "64"),
    "padim": ("--model", "Padim", "--data.image_size", "[128, 160]", "--tiling.tile_size", "64"),
}


@dataclass
class Seen:
    """What the clients saw; `versions` counts the reloads that added one."""

    kinds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    reloads: int = 0
    lock: Lock = field(default_factory=Lock)


def train_models(models: Path) -> None:
    """Adds two small models to a repository, one that resizes pictures and one of small tiles."""
    with TemporaryDirectory(prefix="tessera-torture-") as folder:
        for seed in range(12):
            Image.fromarray(draw_surface(seed)).save(Path(folder) / f"{seed}.png")
        for name, options in _TRAINED.items():
            words = ("train", "--data", "Folder", "--data.root", folder, "--data.normal_dir", ".", *options)
            command = [sys.executable, "-m", "app", *words, "--name", name, "--models_dir", str(models)]
            subprocess.run([*command, "--assess", "false"], check=True, capture_output=True, cwd=ROOT)


def run(models: Path, seconds: float, seed: int, control: Served | None = None) -> Found:
    """Loads a server of these models for a warm-up and for `seconds`."""
    known = Known(ModelRepository(models))
    with served(models, "--precision", "float32") as server:
        warm_up = load(server, known, WARM_UP * seconds, seed + 1, control, WARM_RELOAD_S)
        server.settle()
        server.left(0, 0, 0)  # waits until connections are closed
        before = holdings(server.pid)
        found = load(server, known, seconds, seed, control)
        held = server.settle()
        left = server.left(before.files, before.threads + POOL_THREADS, before.processes)
        found.faults.extend(grown(found) + warm_up.faults + [f"still held: {each}" for each in [*held, *left]])
        found.faults.extend(f"left in the temporary directory: {each}" for each in server.temporary.iterdir())
        found.faults.extend(f"log: {line}" for line in server.errors())
        after = holdings(server.pid)
        found.figures["before"] = _words(before.files, before.threads, before.processes)
        found.figures["after"] = _words(after.files, after.threads, after.processes)
    return found


def load(
    server: Served, known: Known, seconds: float, seed: int, control: Served | None, reload_s: float = RELOAD_S
) -> Found:
    """Loads a server for a time."""
    seen, ended, progress = Seen(), Event(), Progress("mixed load, seconds", seconds)
    draws = [Random(f"{seed} {number}") for number in range(CLIENTS)]  # noqa: S311 - no secret
    clients = [Thread(target=_ask, args=(server, known, each, seen, ended)) for each in draws]
    clients.append(Thread(target=_reload, args=(server, known, seen, ended, reload_s)))
    with MemoryWatch(server.pid, SAMPLE_S) as memory, probing(server.port, (control or server).port) as probes:
        started = monotonic()
        for each in clients:
            each.start()
        while (spent := monotonic() - started) < seconds:
            ended.wait(min(5.0, seconds - spent))
            progress.show(spent, f"{sum(seen.kinds.values()):,} requests, {len(seen.wrong)} wrong")
        ended.set()
        for each in clients:
            each.join()
        liveness = probes.take()
    third = len(memory.samples) // 3
    first, last = memory.samples[:third], memory.samples[-third:]
    growth = median(last) / median(first) - 1
    figures: dict[str, object] = {
        "load_seconds": round(seconds),
        "kinds": dict(seen.kinds),
        "statuses": dict(seen.statuses),
        "reloads": seen.reloads,
        "memory_growth": round(growth, 4),
        "memory_mb": {
            "median_first_third": round(median(first) / MB, 1),
            "median_last_third": round(median(last) / MB, 1),
            "mean_first_third": round(mean(first) / MB, 1),
            "mean_last_third": round(mean(last) / MB, 1),
            "largest": round(max(memory.samples) / MB),
            "series": [round(mean(part) / MB) for part in pieces(memory.samples)],
        },
        **liveness.figures(),
    }
    summary = (
        f"{sum(seen.kinds.values()):,} requests in {seconds / 60:.0f} min, {seen.reloads} reloads: {len(seen.wrong)} "
        f"wrong; memory {growth:+.1%}; /livez {liveness.slowest_s:.2f} s at most"
    )
    return Found(figures, summary, seen.wrong + liveness.faults(LIVENESS_S))


def pieces(samples: list[int]) -> list[list[int]]:
    """The samples in PIECES equal parts, in their order; fewer if there are too few samples."""
    size = max(1, len(samples) // PIECES)
    return [samples[start : start + size] for start in range(0, size * PIECES, size) if samples[start:]]


def grown(found: Found) -> list[str]:
    """The fault of a load after which the server has more memory than at its beginning."""
    growth = float(str(found.figures["memory_growth"]))
    return [f"memory grew by {growth:.1%} from the first to the last third"] if growth > GROWTH else []


def _ask(server: Served, known: Known, rng: Random, seen: Seen, ended: Event) -> None:
    drawer = Drawer(known, rng)
    while not ended.is_set():
        chance = rng.random()
        if chance < CANCELLED:
            drawer.cancel(server.port)
            with seen.lock:
                seen.kinds["cancelled"] += 1
            continue
        asked = drawer.bad() if chance < CANCELLED + BAD else drawer.good()
        answer = send(server.port, asked.request)
        is_refusal = answer.status == 429 and "retry-after" in answer.headers
        try:
            wrong = "" if is_refusal else asked.check(answer)
        except (ValueError, KeyError, AssertionError) as error:
            wrong = f"{type(error).__name__}: {error} in {answer.body[:200]!r}"
        with seen.lock:
            seen.kinds[asked.kind] += 1
            seen.statuses[str(answer.status)] += 1
            seen.wrong += [f"{asked.kind}: {wrong}"] if wrong else []
        if is_refusal:
            ended.wait(float(answer.headers["retry-after"]))


def _reload(server: Served, known: Known, seen: Seen, ended: Event, every_s: float) -> None:
    """Adds versions with other thresholds, and removes the oldest ones."""
    repository, number = ModelRepository(server.models), 0
    while not ended.wait(every_s):
        name = known.names[number % len(known.names)]
        number += 1
        newest = repository.find(name)
        manifest = read_manifest(newest.path)
        factor = 1.2 if number % 2 else 1 / 1.2
        calibration = manifest.calibration.model_copy(
            update={
                "image_threshold": manifest.calibration.image_threshold * factor,
                "image_max": manifest.calibration.image_max * factor,
            }
        )
        digests = manifest.seen.calibrated if manifest.seen else DigestRecord.of(())
        known.expect(name, newest.version + 1, calibration.build())
        write_recalibrated(newest, repository, calibration, None, digests)
        answer = send(server.port, Request("POST", f"/v1/models/{name}/reload"))
        with seen.lock:
            seen.reloads += 1
            if answer.status != 200 or b'"failed":[]' not in answer.body.replace(b" ", b""):
                seen.wrong.append(f"reload: {answer.status} {answer.body[:300]!r}")
        for entry in list(repository.scan(name))[:-KEPT]:
            rmtree(entry.path)


def _words(files: int, threads: int, processes: int) -> dict[str, int]:
    return {"files": files, "threads": threads, "processes": processes}
