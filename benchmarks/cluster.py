"""A Ray cluster that changes under load: updates, a node that is lost, a node that joins.

    python -m benchmarks.cluster [--clients 4]

Two replicas on two nodes of this machine serve small models. Clients post pictures all the time, and check that each
answer is a prediction. First they send nothing again, and any other status is a failure: while a version of the model
is added and reloaded, and while the application gets another setting, which replaces both replicas one after the other.
Then they send again what fails, as clients should: while all processes of a node are killed, and while another node
joins, on which Serve starts a replica that must take requests. Needs the extra `ray`.
"""

import argparse
import io
import os
import shutil
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, Thread
from time import monotonic, sleep

import httpx2
from PIL import Image

from benchmarks.hardware import write
from tests import ray_token  # noqa: F401 - it sets variables
from tests.clusters import ROOT, Site, site
from tests.repositories import add_version

MODEL = "demo"
WAIT_S = 180.0
GRACE_S = 60
"""Longer than any request: one that takes longer gets 503 when its replica is replaced."""
EDGE = 384
SETTLE_S = 2.0
"""How long clients post before and after each event."""
AGAIN = frozenset({429, 500, 502, 503, 504})
"""The statuses after which clients send a request again, and 0: no answer."""


@dataclass
class Load:
    """What clients got: the number of answers of each status, how often they sent again, and the longest wait."""

    statuses: Counter[int] = field(default_factory=Counter)
    again: Counter[int] = field(default_factory=Counter)
    versions: Counter[int] = field(default_factory=Counter)
    longest_s: float = 0.0

    def told(self) -> dict[str, object]:
        return {
            "answers": dict(self.statuses),
            "sent_again_after": dict(self.again),
            "versions": dict(self.versions),
            "longest_s": round(self.longest_s, 2),
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=4)
    given = parser.parse_args()
    with TemporaryDirectory() as work:
        models = Path(work) / "models"
        shutil.copytree(ROOT / "models", models)
        options = {"device": "cpu", "precision": "float32", "batch_tiles": 4, "reload_interval_s": 0, "replicas": 2}
        options |= {"shutdown_grace_s": GRACE_S}
        with site(2, models_dir=models, **options) as here:
            here.up()
            results = {
                "model": measured(here, given.clients, lambda: update_model(here, models), again=False),
                "application": measured(
                    here, given.clients, lambda: here.up(shutdown_grace_s=GRACE_S + 1), again=False
                ),
                "node_lost": measured(here, given.clients, lambda: lose_node(here), again=True),
                "node_joined": measured(here, given.clients, lambda: join_node(here), again=True),
            }
    write("cluster", {"clients": given.clients, "load_average": os.getloadavg(), **results})
    faults = [name for name, result in results.items() if set(result["answers"]) != {200}]  # type: ignore[call-overload]
    if results["model"]["versions"].keys() != {1, 2}:  # type: ignore[attr-defined]
        faults.append("model: both versions should have answered")
    if faults:
        sys.exit(f"requests failed during: {', '.join(faults)}")


def measured(here: Site, clients: int, change: Callable[[], object], *, again: bool) -> dict[str, object]:
    """What the clients got before, during and after the change, and how long it took."""
    with loaded(here, clients, again=again) as load:
        sleep(SETTLE_S)
        started = monotonic()
        found = change()
        seconds = monotonic() - started
        sleep(SETTLE_S)
    result = {"seconds": round(seconds, 2), "change": found, **load.told()}
    print(result, flush=True)
    return result


@contextmanager
def loaded(here: Site, clients: int, *, again: bool, models: Sequence[str] = (MODEL,)) -> Iterator[Load]:
    """Meanwhile clients post pictures, for each of the models in turn; with `again` they repeat what failed."""
    load, ended = Load(), Event()
    file = io.BytesIO()
    Image.open(ROOT / "examples/normal.png").crop((0, 0, EDGE, EDGE)).save(file, "PNG")
    picture = file.getvalue()

    def client() -> None:
        for model in cycle(models):
            if ended.is_set():
                return
            started = monotonic()
            status, version = posted(here.url, model, picture)
            while again and status in AGAIN | {0} and monotonic() < started + WAIT_S:
                load.again[status] += 1
                sleep(0.1)
                status, version = posted(here.url, model, picture)
            load.statuses[status] += 1
            load.versions[version] += 1
            load.longest_s = max(load.longest_s, monotonic() - started)

    threads = [Thread(target=client) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def posted(url: str, model: str, picture: bytes) -> tuple[int, int]:
    """The status of a prediction, and the version that made it; 0 if there is none."""
    try:
        answer = httpx2.post(f"{url}/v1/models/{model}/predict", files={"image": picture}, timeout=WAIT_S)
    except httpx2.TransportError:
        return 0, 0
    return answer.status_code, answer.json()["model"]["version"] if answer.status_code == 200 else 0


def update_model(here: Site, models: Path) -> object:
    """Adds a version, and reloads every replica."""
    add_version(models / MODEL / "1", models, MODEL, 2)
    body = httpx2.post(f"{here.url}/v1/models/{MODEL}/reload", timeout=WAIT_S).json()
    return [(each["replica"], each["answered"], each["models"][0]["ready"]) for each in body["replicas"]]


def lose_node(here: Site) -> object:
    """Kills all processes of a node; returns when the cluster reports one replica."""
    here.remove_node()
    return wait_for(here, 1)


def join_node(here: Site) -> object:
    """Adds a node; returns when its replica has answered a request, with the requests of each replica since."""
    here.add_node()
    wait_for(here, 2)
    before = answered(here)
    deadline = monotonic() + WAIT_S
    while monotonic() < deadline:
        since = {name: count - before.get(name, 0) for name, count in answered(here).items()}
        if len(since) == 2 and all(since.values()):
            return since
        sleep(0.2)
    raise SystemExit(f"the new node takes no load: {since}")


def wait_for(here: Site, count: int) -> list[str]:
    """The names of the replicas, once there are so many."""
    deadline = monotonic() + WAIT_S
    while monotonic() < deadline:
        names = sorted(answered(here))
        if len(names) == count:
            return names
        sleep(0.2)
    raise SystemExit(f"there are not {count} replicas, but {names}")


def answered(here: Site) -> dict[str, float]:
    """The number of predictions of each replica that answers the scrape."""
    try:
        text = httpx2.get(f"{here.url}/metrics", timeout=WAIT_S).text
    except httpx2.TransportError:
        return {}
    found: dict[str, float] = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        if name.startswith("tessera_replica_up{") and float(value):
            found.setdefault(name.partition('replica="')[2].partition('"')[0], 0.0)
        elif name.startswith("tessera_requests_total{") and 'status="200"' in name and "/predict" in name:
            replica = name.partition('replica="')[2].partition('"')[0]
            found[replica] = found.get(replica, 0.0) + float(value)
    return found


if __name__ == "__main__":
    main()
