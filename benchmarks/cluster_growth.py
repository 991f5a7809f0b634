"""A Ray cluster whose models do not fit into the memory of a replica, and one whose replicas follow the queue.

    python -m benchmarks.cluster_growth [--clients 4]

First two replicas keep one version in memory each, of three models. Clients post pictures for two of the models in
turn: after the proxies have learned which replica has which model, no version may be loaded any more. Then the third
one is asked for, so that another one has to go. Then one replica serves, and a second one may start: clients post until
Serve has started it and it has answered, and stop until Serve has ended it. Clients send nothing again, and any answer
but 200 is a failure. Needs the extra `ray`.
"""

import argparse
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import httpx2

from benchmarks.cluster import MODEL, WAIT_S, answered, loaded, wait_for
from benchmarks.hardware import write
from tests.clusters import ROOT, Site, site
from tests.repositories import add_version

OTHERS = ("second", "third")
LEARN_S = 5.0
"""Longer than the proxies take to learn which models a replica has."""
POST_S = 20.0
MORE_S, FEWER_S = 2, 10
"""How long a queue must be long, or short, before the number of replicas changes."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=4)
    given = parser.parse_args()
    with TemporaryDirectory() as work:
        models = Path(work) / "models"
        shutil.copytree(ROOT / "models", models)
        for name in OTHERS:
            add_version(models / MODEL / "1", models, name, 1)
        options = {"device": "cpu", "precision": "float32", "batch_tiles": 4, "reload_interval_s": 0}
        with site(2, models_dir=models, **options, default_model=MODEL) as here:
            here.up(replicas=2, max_loaded_versions=1)
            many = many_models(here, given.clients)
            print(many, flush=True)
            here.up(replicas=1, most_replicas=2, tiles_per_replica=4, more_after_s=MORE_S, fewer_after_s=FEWER_S)
            growth = following(here, given.clients)
            print(growth, flush=True)
    write(
        "cluster-growth",
        {"clients": given.clients, "load_average": os.getloadavg(), "many_models": many, "following": growth},
    )
    faults = [name for name, found in (("many models", many), ("following", growth)) if found["failed"]]
    if many["loads_once_known"]:
        faults.append("models were loaded again although replicas had them")
    if faults:
        sys.exit("; ".join(faults))


def many_models(here: Site, clients: int) -> dict[str, object]:
    """What was loaded while clients asked for two models of three, and after the third."""
    with loaded(here, clients, again=False, models=(MODEL, OTHERS[0])) as load:
        sleep(LEARN_S)
        known = loads(here)
        before = answered(here)
        sleep(POST_S)
        afterwards = loads(here)
        shares = {name: count - before.get(name, 0.0) for name, count in answered(here).items()}
    started = monotonic()
    third = httpx2.post(
        f"{here.url}/v1/models/{OTHERS[1]}/predict",
        files={"image": (ROOT / "examples/normal.png").read_bytes()},
        timeout=WAIT_S,
    )
    return {
        "answers": dict(load.statuses),
        "failed": sum(count for status, count in load.statuses.items() if status != 200) + (third.status_code != 200),
        "loads_at_first": known,
        "loads_once_known": afterwards - known,
        "answers_of_replicas_once_known": shares,
        "third_model_s": round(monotonic() - started, 2),
        "loads_for_the_third": loads(here) - afterwards,
    }


def following(here: Site, clients: int) -> dict[str, object]:
    """How long Serve took to add a replica under load, and to end it without."""
    wait_for(here, 1)
    started = monotonic()
    with loaded(here, clients, again=False) as load:
        wait_for(here, 2)
        grown_s = monotonic() - started
        deadline = monotonic() + WAIT_S
        while not all(answered(here).values()) and monotonic() < deadline:
            sleep(0.2)
        shares = answered(here)
    stopped = monotonic()
    wait_for(here, 1)
    return {
        "answers": dict(load.statuses),
        "failed": sum(count for status, count in load.statuses.items() if status != 200),
        "second_replica_after_s": round(grown_s, 1),
        "answers_of_replicas": shares,
        "one_replica_after_s": round(monotonic() - stopped, 1),
    }


def loads(here: Site) -> int:
    """How many versions all replicas have loaded since their start."""
    return int(sum(count for _, count in samples(here, "tessera_model_loads_total")))


def samples(here: Site, name: str) -> Iterator[tuple[str, float]]:
    """The series of a metric, and their values."""
    for line in httpx2.get(f"{here.url}/metrics", timeout=WAIT_S).text.splitlines():
        series, _, value = line.rpartition(" ")
        if series.startswith(f"{name}{{"):
            yield series, float(value)


if __name__ == "__main__":
    main()
