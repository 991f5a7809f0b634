"""How long a server takes to end after SIGTERM, under load and while something hangs, and its exit status.

Each case starts a server of the demo model with a grace period of 0.5 s, lets eight clients post pictures, makes
something hang, and sends SIGTERM. The server must end within the grace period and two seconds more, and answer every
request that it received whole, except those whose clients do not read.
"""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event

import httpx2
import psutil
from PIL import Image

from benchmarks.torture.found import Found
from benchmarks.torture.served import ROOT

GRACE_S, LIMIT_S, WAIT_S, CLIENTS = 0.5, 2.0, 120.0, 8
URL = "/v1/models/demo/predict"
SERVER = """
import app.service.predictor as predictor
from pathlib import Path
from threading import Event
from app.artifacts import ModelRepository
from app.main import serve
from app.pipeline import TiledModel
from app.settings import Settings

settings = Settings()

def hanging(place, function):
    def call(*arguments, **options):
        if (settings.examples_dir / place).exists():
            (settings.examples_dir / "reached").touch()
            Event().wait()
        return function(*arguments, **options)
    return call

TiledModel.run = hanging("lane", TiledModel.run)
ModelRepository.scan = hanging("loader", ModelRepository.scan)
predictor.render = hanging("thread", predictor.render)
serve(settings)
"""


class Case:
    """A server, its URL, the folder whose files make parts of it hang, and resources of clients."""

    def __init__(self, folder: Path, stack: ExitStack) -> None:
        self.folder, self.stack = folder, stack
        settings = {
            "models_dir": ROOT / "models",
            "examples_dir": folder,
            "device": "cpu",
            "port": 0,
            "shutdown_grace_s": GRACE_S,
            "reload_interval_s": 0.2,
        }
        environment = os.environ | {f"TESSERA_{name.upper()}": str(value) for name, value in settings.items()}
        log = folder / "log"
        with log.open("w") as stream:
            self.server = subprocess.Popen([sys.executable, "-c", SERVER], env=environment, stderr=stream, cwd=ROOT)
        stack.callback(self.server.kill)
        wait(lambda: re.search(r"on (http://\S+\d)", log.read_text()) is not None)
        self.url = str(re.findall(r"on (http://\S+\d)", log.read_text())[0])
        wait(lambda: httpx2.get(f"{self.url}/readyz").status_code == 200)

    def hang(self, place: str) -> None:
        (self.folder / place).touch()
        wait((self.folder / "reached").exists)

    def connect(self, head: str, body: bytes = b"") -> None:
        host, port = self.url.removeprefix("http://").split(":")
        connection = self.stack.enter_context(socket.create_connection((host, int(port))))
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(f"{head} HTTP/1.1\r\nHost: x\r\n".encode() + body)


def stall(case: Case) -> None:
    for _ in range(8):
        case.connect(f"POST {URL}", b"Content-Length: 1000\r\n\r\nhalf")


def read_slowly(case: Case) -> None:
    file = BytesIO()
    Image.new("L", (2000, 2000)).save(file, "PNG")
    picture = file.getvalue()
    head = f"Content-Type: image/png\r\nContent-Length: {len(picture)}\r\n\r\n".encode()
    for _ in range(4):
        case.connect("POST /v1/models/demo/anomaly-map?format=npy", head + picture)
    time.sleep(20)


def stop_children(case: Case) -> None:
    for child in psutil.Process(case.server.pid).children(recursive=True):
        child.send_signal(signal.SIGSTOP)


CASES: dict[str, Callable[[Case], None]] = {
    "hung lane": lambda case: case.hang("lane"),
    "stuck loader": lambda case: case.hang("loader"),
    "stuck rendering": lambda case: case.hang("thread"),
    "stuck decoders": stop_children,
    "stalled clients": stall,
    "slow readers": read_slowly,
    "load": lambda _: None,
}


def wait(condition: Callable[[], bool]) -> None:
    end_s = time.monotonic() + WAIT_S
    while not condition():
        if time.monotonic() > end_s:
            raise TimeoutError
        time.sleep(0.02)


def measured(name: str) -> dict[str, object]:
    """The seconds to the end, the exit status, and the statuses of the requests around SIGTERM."""
    with TemporaryDirectory() as temporary, ExitStack() as stack, ThreadPoolExecutor(CLIENTS) as pool:
        case, stopped = Case(Path(temporary), stack), Event()
        picture, answers = (ROOT / "examples/defect.png").read_bytes(), Counter[str]()

        def client() -> None:
            while not stopped.is_set():
                try:
                    answer = httpx2.post(case.url + URL, files={"image": picture}, timeout=WAIT_S)
                    answers[str(answer.status_code)] += 1
                except httpx2.ConnectError:  # the server does not listen any more
                    return
                except httpx2.TransportError:
                    answers["none"] += 1

        for _ in range(CLIENTS):
            pool.submit(client)
        wait(lambda: answers["200"] >= CLIENTS)
        CASES[name](case)
        time.sleep(0.5)
        started = time.monotonic()
        case.server.send_signal(signal.SIGTERM)
        status = case.server.wait(WAIT_S)
        seconds = time.monotonic() - started
        stopped.set()
    return {"case": name, "seconds": round(seconds, 2), "status": status, "answers": dict(answers)}


def run(rounds: int, repeats: int) -> Found:
    """Runs the case `load` that many `rounds`, and each other case `repeats` times."""
    ends, faults = [], []
    for name in CASES:
        for _ in range(rounds if name == "load" else repeats):
            ends.append(last := measured(name))
            print(
                f"  {name:16} {last['seconds']:>6} s   status {last['status']}   answers {last['answers']}", flush=True
            )
            faults += [f"{name}: {each}" for each in wrong(last)]
    slowest = max(float(str(each["seconds"])) for each in ends)
    summary = f"{len(ends)} ends in {len(CASES)} cases: {slowest:.2f} s at most, of {GRACE_S + LIMIT_S} s"
    return Found({"grace_s": GRACE_S, "ends": ends}, summary, faults)


def wrong(end: dict[str, object]) -> list[str]:
    """What is wrong with an end."""
    found, answers = [], end["answers"]
    assert isinstance(answers, dict)
    if float(str(end["seconds"])) > GRACE_S + LIMIT_S:
        found.append(f"it took {end['seconds']} s")
    if end["status"] != (75 if end["case"] == "slow readers" else 0):
        found.append(f"the exit status is {end['status']}")
    found += [f"{number} requests got {status}" for status, number in answers.items() if status not in ("200", "503")]
    return found
