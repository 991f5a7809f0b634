"""How many refused clients are admitted when they first come back, if they obey `Retry-After` exactly.

    python -m benchmarks.retry_after

A burst of clients posts pictures of several sizes to the demo model, one each, on a server with a short queue. A client
that gets 429 waits for the seconds of `Retry-After` and posts again. The server is new in each round, and has computed
nothing before. Every client must be answered in the end.
"""

import argparse
import http.client
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Barrier, Thread
from time import monotonic, sleep

from PIL import Image

from benchmarks.hardware import write
from benchmarks.throughput.models import MODELS
from benchmarks.throughput.servers import Server, tessera

ROOT = Path(__file__).parent.parent
NAME = "demo"
EDGES = (256, 256, 512, 512, 1024, 2048)
QUEUE_TILES = 512


@dataclass
class Client:
    """What happened to a client: the told seconds of each refusal, and the seconds until it was admitted."""

    told: list[int]
    seconds: float = 0.0
    status: int = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, nargs="*", default=[50, 150, 300])
    given = parser.parse_args()
    pictures = [_scaled(edge) for edge in EDGES]
    with TemporaryDirectory() as temporary:
        folder = Path(temporary) / NAME
        folder.mkdir()
        (folder / MODELS).symlink_to(ROOT / "models")
        rounds = {}
        for clients in given.clients:
            with tessera(NAME, Path(temporary), "--queue_tiles", str(QUEUE_TILES)) as server:
                rounds[str(clients)] = _round(server, pictures, clients)
    write("retry-after", {"edges": EDGES, "queue_tiles": QUEUE_TILES, "rounds": rounds})


def _scaled(edge: int) -> bytes:
    file = io.BytesIO()
    Image.open(ROOT / "examples/normal.png").convert("RGB").resize((edge, edge)).save(file, "JPEG", quality=90)
    return file.getvalue()


def _round(server: Server, pictures: Sequence[bytes], count: int) -> dict[str, object]:
    clients, start = [Client([]) for _ in range(count)], Barrier(count)
    threads = [
        Thread(target=_obey, args=(server, pictures[number % len(pictures)], each, start))
        for number, each in enumerate(clients)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed := [each.status for each in clients if each.status != 200]:
        raise RuntimeError(f"{len(failed)} clients were not answered: {failed[:5]}")
    refused = [each for each in clients if each.told]
    first = sum(len(each.told) == 1 for each in refused)
    first_told, seconds = [each.told[0] for each in refused], [each.seconds for each in clients]
    return {
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


def _obey(server: Server, picture: bytes, client: Client, start: Barrier) -> None:
    start.wait()
    started = monotonic()
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=900)
        connection.request("POST", server.predict, picture, {"Content-Type": "image/jpeg"})
        response = connection.getresponse()
        response.read()
        connection.close()
        client.status, client.seconds = response.status, monotonic() - started
        if response.status != 429:
            return
        client.told.append(int(response.headers["Retry-After"]))
        sleep(client.told[-1])


if __name__ == "__main__":
    main()
