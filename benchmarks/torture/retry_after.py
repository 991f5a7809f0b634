"""How many refused clients are admitted when they first come back, if they obey `Retry-After` exactly.

A burst of clients posts pictures of several sizes to the demo model, one each, on a server with a short queue. A client
that gets 429 waits for the seconds of `Retry-After` and posts again. The server is new in each round, and has computed
nothing before. Every client must be answered in the end.
"""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from threading import Barrier, Thread
from time import monotonic, sleep

from PIL import Image

from benchmarks.torture.clients import Request, send
from benchmarks.torture.found import Found
from benchmarks.torture.served import ROOT, Served, served

EDGES = (256, 256, 512, 512, 1024, 2048)
QUEUE_TILES = 512
LEAST_SHARE = 0.8
LONGEST_S = 900.0


@dataclass
class Client:
    """What happened to a client: the told seconds of each refusal, and the seconds until it was admitted."""

    told: list[int]
    seconds: float = 0.0
    status: int = 0


def run(bursts: Sequence[int]) -> Found:
    """Runs a round for each number of clients."""
    pictures, rounds, faults = [_scaled(edge) for edge in EDGES], {}, []
    for clients in bursts:
        with served(ROOT / "models", "--queue_tiles", str(QUEUE_TILES)) as server:
            found = rounds[str(clients)] = _round(server, pictures, clients)
        print(f"  {clients} clients: {found}", flush=True)
        if (share := found["share"]) is not None and float(str(share)) < LEAST_SHARE:
            faults.append(f"of {clients} clients, {share:.0%} of those refused were admitted at their first return")
        if found["unanswered"]:
            faults.append(f"{found['unanswered']} of {clients} clients were not answered")
    shares = ", ".join(f"{found['share']} of {clients}" for clients, found in rounds.items())
    figures = {"edges": EDGES, "queue_tiles": QUEUE_TILES, "rounds": rounds}
    return Found(figures, f"share of refused clients that were admitted at their first return: {shares}", faults)


def _scaled(edge: int) -> bytes:
    file = io.BytesIO()
    Image.open(ROOT / "examples/normal.png").convert("RGB").resize((edge, edge)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _round(server: Served, pictures: Sequence[bytes], count: int) -> dict[str, object]:
    clients, start = [Client([]) for _ in range(count)], Barrier(count)
    threads = [
        Thread(target=_obey, args=(server, pictures[number % len(pictures)], each, start))
        for number, each in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [each for each in clients if each.told]
    first = sum(len(each.told) == 1 for each in refused)
    first_told, seconds = [each.told[0] for each in refused], [each.seconds for each in clients]
    return {
        "unanswered": sum(each.status != 200 for each in clients),
        "refused": len(refused),
        "admitted at the first return": first,
        "share": round(first / len(refused), 3) if refused else None,
        "most tries": max(len(each.told) for each in clients) + 1,
        "told s, median": median(first_told) if refused else None,
        "told s, largest": max(map(_most, clients)),
        "answered s, median": round(median(seconds), 1),
        "answered s, largest": round(max(seconds), 1),
    }


def _most(client: Client) -> int:
    return max(client.told, default=0)


def _obey(server: Served, picture: bytes, client: Client, start: Barrier) -> None:
    request = Request("POST", "/v1/models/demo/predict", picture, {"Content-Type": "image/jpeg"})
    start.wait()
    started = monotonic()
    while True:
        answer = send(server.port, request, LONGEST_S)
        client.status, client.seconds = answer.status, monotonic() - started
        if answer.status != 429:
            return
        client.told.append(int(answer.headers["retry-after"]))
        sleep(client.told[-1])
