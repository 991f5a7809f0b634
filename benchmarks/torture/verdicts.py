"""Kills what tells and what watches, and counts what arrived.

    python -m benchmarks.torture.verdicts --verdicts 1000 --pictures 500

A server of the demo model tells verdicts to a webhook that fails half of the time, by an error, or by an answer that
is lost after the event was taken, and to a folder. SIGKILL ends the server in the middle; another one goes on with the
same queues. Every answer must have arrived, once after repetitions of an id are dropped. Beside it, `tessera watch`
predicts pictures that a slow writer writes, and is killed twice. Every picture must have one result and one verdict.
Needs nothing but the demo.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from threading import Thread
from time import monotonic, sleep

import httpx2
from PIL import Image

from benchmarks.hardware import write
from tests.conftest import draw_surface
from tests.events.receiving import SECRET, Answer, Received, receiver
from tests.waiting import address

ROOT = Path(__file__).parent.parent.parent
MOST_S = 900.0
CLIENTS = 4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--verdicts", type=int, default=1000)
    parser.add_argument("--pictures", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    chance = Random(given.seed)  # noqa: S311 - no secret
    with TemporaryDirectory() as one, TemporaryDirectory() as other, ThreadPoolExecutor(2) as pool:
        telling = pool.submit(webhook, Path(one), given.verdicts, chance)
        watching = pool.submit(watched, Path(other), given.pictures, chance)
        told, seen = telling.result(), watching.result()
    write("torture-verdicts", {"webhook": told, "watch": seen})
    if told["lost"] or told["doubled"] or seen["lost"] or seen["doubled"]:
        sys.exit(1)


def webhook(work: Path, count: int, chance: Random) -> dict[str, int | float]:
    """Figures of a receiver that fails half of the time, and of a server that is killed once."""

    def decide(_: int) -> Answer:
        return chance.choice(((204, {}), (204, {}), (500, {}), (0, {})))

    picture = work / "picture.png"
    Image.fromarray(draw_surface(0, 64, 64)).save(picture)
    answered: list[str] = []
    started_s = monotonic()
    with receiver(decide) as received:
        for part in (range(count // 2), range(count // 2, count)):
            with server(work, received) as (url, process), ThreadPoolExecutor(CLIENTS) as clients:
                for own in clients.map(lambda number, url=url: ask(url, picture, number), part):
                    answered += [own] if own else []
                    if part.start == 0 and len(answered) == count // 2 - CLIENTS:
                        process.kill()  # while the last requests are in work
                if part.start:
                    deadline_s = monotonic() + MOST_S
                    while not set(answered) <= ids(received) and monotonic() < deadline_s:
                        sleep(0.1)
    requests = ids(received)
    return {
        "answered": len(answered),
        "attempts": received.requests,
        "accepted": received.times.total(),
        "lost": len(set(answered) - requests),
        "doubled": len(received.bodies) - len(requests),
        "seconds": round(monotonic() - started_s, 1),
    }


def ids(received: Received) -> set[str]:
    """The ids of the requests whose verdicts were accepted."""
    return {str(body["request_id"]) for body in list(received.bodies.values())}


def ask(url: str, picture: Path, number: int) -> str | None:
    """Predicts a picture; returns the request's id if it was answered."""
    own = f"request-{number}"
    try:
        answer = httpx2.post(
            f"{url}/v1/models/demo/predict",
            content=picture.read_bytes(),
            headers={"Content-Type": "image/png", "X-Request-ID": own},
            timeout=60,
        )
    except httpx2.TransportError:
        return None
    return own if answer.status_code == 200 else None


@contextmanager
def server(work: Path, received: Received) -> Iterator[tuple[str, "subprocess.Popen[bytes]"]]:
    """Yields a server's address and its process."""
    sinks = f"{received.url}#secret_env=WEBHOOK_SECRET, folder:{work}/told"
    command = [sys.executable, "-m", "app", "serve", "--models_dir", str(ROOT / "models"), "--port", "0"]
    options = ["--device", "cpu", "--on_verdict", sinks, "--spool_dir", str(work / "spool")]
    log = work / "log"
    with (
        log.open("w") as stream,
        subprocess.Popen(
            [*command, *options], cwd=ROOT, stderr=stream, env=os.environ | {"WEBHOOK_SECRET": SECRET}
        ) as process,
    ):
        try:
            yield address(process, log), process
        finally:
            process.terminate()


def watched(work: Path, count: int, chance: Random) -> dict[str, int | float]:
    """Figures of a watched folder with a slow writer, and of a watch that is killed twice."""
    folder, output, told = work / "in", work / "out", work / "told"
    folder.mkdir()
    writer = Thread(target=write_slowly, args=(folder, count))
    writer.start()
    options = ["--output", str(output), "--name", "demo", "--models_dir", str(ROOT / "models"), "--overlays", "false"]
    more = ["--settle_s", "0.5", "--interval_s", "0.2", "--on_verdict", f"folder:{told}", "--device", "cpu"]
    command = [sys.executable, "-m", "app", "watch", str(folder), *options, *more]
    started_s = monotonic()
    for share in (0.3, 0.6):
        with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as process:
            while len(list(output.glob("*.json"))) < share * count + chance.randrange(10):
                sleep(0.02)
            process.kill()
    writer.join()
    done = subprocess.run([*command, "--once", "true"], cwd=ROOT, capture_output=True, text=True, check=False)
    events = [json.loads(path.read_text()) for path in told.glob("*/*.json")]
    names = [event["picture"]["name"] for event in {event["id"]: event for event in events}.values()]
    wanted = {f"{number:04}.png" for number in range(count)}
    results = {path.name for path in output.rglob("*") if path.is_file() and ".tessera-watch" not in path.parts}
    return {
        "pictures": count,
        "results": len(results),
        "lost": len(wanted - set(names)) + len({f"{number:04}.json" for number in range(count)} - results),
        "doubled": len(names) - len(set(names)) + max(len(results) - count, 0),
        "set_aside": done.stderr.count("left out"),
        "status": done.returncode,
        "seconds": round(monotonic() - started_s, 1),
    }


def write_slowly(folder: Path, count: int) -> None:
    """Writes pictures in pieces; every tenth one with pauses longer than the watch waits."""
    for number in range(count):
        original = folder.parent / "next.png"
        Image.fromarray(draw_surface(number, 64, 64)).save(original)
        data = original.read_bytes()
        with (folder / f"{number:04}.png").open("wb") as file:
            for start in range(0, len(data), len(data) // 3 + 1):
                file.write(data[start : start + len(data) // 3 + 1])
                file.flush()
                sleep(0.7 if number % 10 == 0 else 0.01)


if __name__ == "__main__":
    main()
