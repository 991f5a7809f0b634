"""Kills everything that writes or reads a model repository at random moments, and looks at what is left.

In each round, SIGKILL ends a training, an import, a calibration, a server that starts, or a server that reloads, after
a random part of the time that this takes undisturbed. Then the next start must find a repository of which every version
is read with its digests, without anything half-written. All rounds share one repository. At the end, a server serves
every version. Needs nothing but the demo.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from time import monotonic, sleep

import httpx2
import torch
from PIL import Image

from app.artifacts import ModelRepository, verify_artifact
from benchmarks.torture.found import Found
from benchmarks.torture.served import ROOT
from tests.conftest import draw_surface
from tests.importing.files import checkpoint_of, fitted

NAME = "demo"
READY_S = 120.0
KEPT = 4  # versions of a model in the repository, so that its size does not grow with the rounds
COMMANDS: dict[str, tuple[str, ...]] = {
    "train": (
        *("train", "--model", "Subspace", "--model.backbone", "resnet18", "--data", "Folder", "--data.root", "{work}"),
        *("--data.normal_dir", "good", "--tiling.tile_size", "64", "--name", "trained", "--models_dir", "{models}"),
    ),
    "import": (
        "import",
        "{work}/file.ckpt",
        "--name",
        "imported",
        "--tiling.enable",
        "false",
        "--models_dir",
        "{models}",
    ),
    "calibrate": ("calibrate", "--name", NAME, "--image_threshold", "0.6", "--models_dir", "{models}"),
}
SERVERS = ("start", "reload")


def run(count: int, seed: int) -> Found:
    """Kills `count` times."""
    with TemporaryDirectory() as temporary:
        work = Path(temporary)
        models = prepare(work)
        usual_s = {kind: undisturbed(kind, work, models) for kind in (*COMMANDS, *SERVERS)}
        rows = list(rounds(count, random.Random(seed), work, models, usual_s))  # noqa: S311 - no secret
        with server(models) as url:
            states = Counter(version["state"] for version in versions(url))
    kinds = {kind: of_kind(kind, usual_s[kind], rows) for kind in usual_s}
    faults = [f"{row['kind']}: {row['fault']}" for row in rows if row["fault"]]
    faults += [f"{number} versions are {state} at the end" for state, number in states.items() if state != "ready"]
    swept = sum(int(str(row["swept"])) for row in rows)
    summary = f"{len(rows)} killed: the repository was whole each time, {swept} leftovers were removed"
    return Found({"rounds": count, "kinds": kinds, "states": dict(states)}, summary, faults)


def of_kind(kind: str, usual_s: float, rows: list[dict[str, object]]) -> dict[str, object]:
    own = [row for row in rows if row["kind"] == kind]
    return {
        "usual_s": round(usual_s, 2),
        "killed": len(own),
        "finished_before": sum(bool(row["finished"]) for row in own),
        "left_and_swept": sum(int(str(row["swept"])) for row in own),
        "faults": [row["fault"] for row in own if row["fault"]],
    }


def prepare(work: Path) -> Path:
    """Makes the repository, pictures to train on and a file to import; returns the repository."""
    shutil.copytree(ROOT / "models" / NAME, work / "models" / NAME)
    (work / "good").mkdir()
    for seed in range(24):
        Image.fromarray(draw_surface(seed)).save(work / f"good/{seed:02}.png")
    torch.save(checkpoint_of(fitted("patchcore")), work / "file.ckpt")
    return work / "models"


def rounds(
    count: int, chance: random.Random, work: Path, models: Path, usual_s: dict[str, float]
) -> Iterator[dict[str, object]]:
    """Yields for each round the kind, whether it had ended before, what was swept, and what was wrong."""
    for number in range(count):
        kind = list(usual_s)[number % len(usual_s)]
        after_s = usual_s[kind] * chance.uniform(0.3, 1.05)  # the first third is the start of the interpreter
        finished = killed(kind, work, models, after_s)
        swept, fault = next_start(models)
        print(
            f"  {number + 1:3} {kind:10} after {after_s:5.2f} s{', had ended' * finished}: {fault or 'whole'}",
            flush=True,
        )
        yield {"kind": kind, "finished": finished, "swept": swept, "fault": fault}


def next_start(models: Path) -> tuple[int, str]:
    """Does what the next start does: sweeps, and reads every version. Returns how much was swept, and what is wrong."""
    repository = ModelRepository(models)
    swept = repository.sweep()
    half = [path for path in models.glob("*/.*") if not path.name.startswith(".training-")]
    if half:
        return len(swept), f"left: {half}"
    try:
        for entry in repository.entries():
            verify_artifact(entry)
    except Exception as error:  # a fault is a figure of this measurement
        return len(swept), f"{type(error).__name__}: {error}"
    for name in repository.names():
        for entry in list(repository.scan(name))[:-KEPT]:
            shutil.rmtree(entry.path)
    return len(swept), ""


def undisturbed(kind: str, work: Path, models: Path) -> float:
    """The seconds that a kind takes if nothing ends it."""
    started = monotonic()
    if kind in SERVERS:
        with server(models) as url:
            if kind == "reload":
                reload(models, url)
    else:
        subprocess.run(command(kind, work, models), check=True, capture_output=True)
    return monotonic() - started


def killed(kind: str, work: Path, models: Path, after_s: float) -> bool:
    """Runs a kind, and kills it and its processes; returns whether it had ended before."""
    words = serving(models, port := free_port()) if kind in SERVERS else command(kind, work, models)
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    timer = Timer(after_s, lambda: os.killpg(process.pid, signal.SIGKILL))
    timer.start()
    try:
        if kind == "reload":
            url = f"http://127.0.0.1:{port}"
            if ready(url, process):
                with suppress(httpx2.HTTPError):  # it is killed meanwhile
                    reload(models, url)
        status = process.wait(after_s + READY_S)
    finally:
        timer.cancel()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    return status == 0


def command(kind: str, work: Path, models: Path) -> list[str]:
    words = (word.format(work=work, models=models) for word in COMMANDS[kind])
    return [sys.executable, "-m", "app", *words]


def serving(models: Path, port: int) -> list[str]:
    return [sys.executable, "-m", "app", "serve", "--models_dir", str(models), "--port", str(port), "--device", "cpu"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def server(models: Path) -> Iterator[str]:
    """Yields the address of a server that is ready, and stops it."""
    port = free_port()
    process = subprocess.Popen(serving(models, port), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}"
        if not ready(url, process):
            raise SystemExit("the server did not become ready")
        yield url
    finally:
        process.terminate()
        process.wait()


def ready(url: str, process: "subprocess.Popen[bytes]") -> bool:
    """Waits until a server is ready; false if its process ends."""
    end = monotonic() + READY_S
    while process.poll() is None and monotonic() < end:
        try:
            if httpx2.get(f"{url}/readyz").status_code == 200:
                return True
        except httpx2.HTTPError:
            pass
        sleep(0.05)
    return False


def reload(models: Path, url: str) -> None:
    """Adds the newest version again as the next one, as `tessera train` does, and lets a server load it."""
    repository = ModelRepository(models)
    newest = repository.find(NAME)
    words = ("calibrate", "--name", NAME, "--version", str(newest.version), "--pixel_threshold", "0.6")
    subprocess.run([sys.executable, "-m", "app", *words, "--models_dir", str(models)], check=True, capture_output=True)
    httpx2.post(f"{url}/v1/reload", timeout=READY_S)


def versions(url: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for model in httpx2.get(f"{url}/v1/models").json()["models"]:
        found += model["versions"]
    return found
