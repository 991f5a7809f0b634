"""Jobs that are killed, and live requests beside a job.

    python -m benchmarks.jobs [--rounds 20] [--height 4096] [--width 4096]

First a job runs undisturbed. Then, in each round, a job is uploaded and runs, and another one is uploaded in part, when
SIGKILL ends the server at a random moment of the work. A new server goes on with the same folder: the first job by
itself, the other one with its upload. The results must be those of the undisturbed job: the same regions, scores that
differ by rounding only (the kernels are chosen anew at each start), and at most one pixel of the mask in 10,000. Then
the latency of small pictures is measured, one after another, without and beside jobs in turn, and the time from the
request to cancel until the job's files are gone. Needs nothing but the demo and the extra `large`.
"""

import argparse
import io
import os
import random
import signal
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any

import httpx2
import numpy as np
from PIL import Image

from benchmarks.hardware import write
from benchmarks.torture.served import ROOT, Served, served

WAIT_S = 3600.0
PART_BYTES = 2**20
ENDED = {"done", "failed", "cancelled", "expired"}
TUS = {"Content-Type": "application/offset+octet-stream", "Tus-Resumable": "1.0.0"}
MOST_DIFFERING = 1e-4
ROUNDING = 1e-5
PAIRS = 3
"""The latency is measured so many times without jobs, and so many times beside them, in turn."""


@dataclass(frozen=True, slots=True)
class Setting:
    """The models, the model of the jobs, their picture, and the folder of the servers' jobs."""

    models: Path
    model: str
    picture: bytes
    jobs: Path

    def options(self) -> tuple[str, ...]:
        return ("--jobs_dir", str(self.jobs), "--precision", "float32", "--jobs_free_bytes", "0")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The prediction and the mask of a job, and how long it took from the last byte."""

    prediction: dict[str, Any]
    mask: bytes
    seconds: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--height", type=int, default=4096)
    parser.add_argument("--width", type=int, default=4096)
    parser.add_argument("--jobs", type=int, default=20, help="jobs beside the small pictures")
    parser.add_argument("--requests", type=int, default=50, help="the number of small pictures of each measurement")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--name", default="jobs", help="of the file of results")
    given = parser.parse_args()
    with TemporaryDirectory() as work:
        picture = surface(given.height, given.width)
        setting = Setting(ROOT / "models", "demo", picture, Path(work))
        faults, rows = killed(setting, given.rounds, given.seed)
        beside = live(setting, given.jobs, given.requests)
    write(given.name, {"picture": [given.height, given.width], "rounds": rows, "live": beside, "faults": faults})
    print(*(faults or ["no fault"]), sep="\n")
    sys.exit(bool(faults))


def surface(height: int, width: int) -> bytes:
    """An uncompressed TIFF of repeated examples of the demo's surface, with defects."""
    pictures = []
    for name in ("normal", "defect"):
        with Image.open(ROOT / f"examples/{name}.png") as image:
            pictures.append(np.asarray(image.convert("RGB")))
    whole = np.zeros((height, width, 3), np.uint8)
    edge_y, edge_x = pictures[0].shape[:2]
    for number, top in enumerate(range(0, height, edge_y)):
        for left in range(0, width, edge_x):
            place = whole[top : top + edge_y, left : left + edge_x]
            place[:] = pictures[(number + left // edge_x) % 2][: place.shape[0], : place.shape[1]]
    file = io.BytesIO()
    Image.fromarray(whole).save(file, "TIFF")
    return file.getvalue()


def killed(setting: Setting, rounds: int, seed: int) -> tuple[list[str], list[dict[str, object]]]:
    """What was wrong in `rounds` rounds, and what was seen in each."""
    draw = random.Random(seed)  # noqa: S311 - no secret
    faults, rows = [], list[dict[str, object]]()
    with ExitStack() as stack:
        server = stack.enter_context(served(setting.models, *setting.options()))
        expected = finished(server, uploaded(server, setting))
        for number in range(rounds):
            moment, part = draw.random(), made(server, setting)
            sent = send(server, part, setting.picture, 0, most=max(len(setting.picture) // 3, 1))
            whole = uploaded(server, setting)
            sleep(moment * expected.seconds)
            before = rows_done(server, whole)
            kill(server)
            server = stack.enter_context(served(setting.models, *setting.options()))
            outcomes = {"running": finished(server, whole)}
            offset = offset_of(server, part)
            if offset < sent:
                faults.append(f"round {number}: {sent:,} bytes were acknowledged, and {offset:,} are there")
            send(server, part, setting.picture, offset)
            outcomes["uploading"] = finished(server, part)
            row = {"moment": round(moment, 3), "done": before, "seconds_after": round(outcomes["running"].seconds, 2)}
            rows.append(row)
            print(row, flush=True)
            for kind, outcome in outcomes.items():
                faults += [f"round {number}, {kind}: {fault}" for fault in differences(outcome, expected)]
            remove_all(server)
    return faults, rows


def live(setting: Setting, jobs: int, count: int) -> dict[str, object]:
    """The latency of small pictures without and beside jobs in turn, and the time to cancel one, in seconds."""
    small = (ROOT / "examples/normal.png").read_bytes()
    alone, beside, ran = list[float](), list[float](), True
    with served(setting.models, *setting.options()) as server:
        latencies(server, setting.model, small, 5)  # warms up
        for _ in range(PAIRS):
            alone += latencies(server, setting.model, small, count)
            ids = [uploaded(server, setting) for _ in range(jobs)]
            while not any(show(server, id)["state"] == "running" for id in ids):
                sleep(0.05)
            beside += latencies(server, setting.model, small, count)
            ran &= any(show(server, id)["state"] == "running" for id in ids)
            remove_all(server)
            while list((setting.jobs / "jobs").iterdir()):
                sleep(0.05)
        cancel_s = seconds_to_cancel(server, setting)
    return {
        "jobs": jobs,
        "alone": _summary(alone),
        "beside_jobs": _summary(beside),
        "p95_ratio": round(_p95(beside) / _p95(alone), 3),
        "jobs_ran_until_the_end": ran,
        "cancel_s": round(cancel_s, 3),
    }


def seconds_to_cancel(server: Served, setting: Setting) -> float:
    """How long it takes from the request to cancel a job, whose first rows are done, until its files are gone."""
    id = uploaded(server, setting)
    while not show(server, id)["pictures"][0]["rows_done"]:
        sleep(0.02)
    started = monotonic()
    httpx2.delete(f"{server.url}/v1/jobs/{id}").raise_for_status()
    while (setting.jobs / "jobs" / id).exists():
        sleep(0.005)
    return monotonic() - started


def _summary(seconds: Sequence[float]) -> dict[str, float]:
    return {
        "median_s": round(median(seconds), 4),
        "p95_s": round(_p95(seconds), 4),
        "most_s": round(max(seconds), 4),
    }


def _p95(seconds: Sequence[float]) -> float:
    return quantiles(seconds, n=20)[-1]


def latencies(server: Served, model: str, picture: bytes, count: int) -> list[float]:
    found = []
    with httpx2.Client(timeout=WAIT_S) as client:
        for _ in range(count):
            started = monotonic()
            client.post(f"{server.url}/v1/models/{model}/predict", files={"image": picture}).raise_for_status()
            found.append(monotonic() - started)
    return found


def made(server: Served, setting: Setting) -> str:
    """The id of a new job of the setting's picture."""
    body = {"model": setting.model, "pictures": [{"name": "surface.tif", "length": len(setting.picture)}]}
    return str(httpx2.post(f"{server.url}/v1/jobs", json=body).raise_for_status().json()["id"])


def send(server: Served, id: str, data: bytes, offset: int, most: int | None = None) -> int:
    """Sends the bytes from `offset` on, at most so many, in parts; returns the offset that was acknowledged last."""
    end = len(data) if most is None else min(offset + most, len(data))
    while offset < end:
        part = data[offset : min(offset + PART_BYTES, end)]
        headers = TUS | {"Upload-Offset": str(offset)}
        url = f"{server.url}/v1/jobs/{id}/pictures/0"
        answer = httpx2.patch(url, content=part, headers=headers, timeout=WAIT_S).raise_for_status()
        offset = int(answer.headers["Upload-Offset"])
    return offset


def uploaded(server: Served, setting: Setting) -> str:
    id = made(server, setting)
    send(server, id, setting.picture, 0)
    return id


def offset_of(server: Served, id: str) -> int:
    """Where the upload goes on."""
    return int(httpx2.head(f"{server.url}/v1/jobs/{id}/pictures/0").raise_for_status().headers["Upload-Offset"])


def show(server: Served, id: str) -> dict[str, Any]:
    found: dict[str, Any] = httpx2.get(f"{server.url}/v1/jobs/{id}").raise_for_status().json()
    return found


def rows_done(server: Served, id: str) -> str:
    """The progress of the job's picture, in words."""
    picture = show(server, id)["pictures"][0]
    return f"{picture.get('stage', picture['state'])} {picture['rows_done']}/{picture['rows']}"


def remove_all(server: Served) -> None:
    """Removes all jobs; those that have not ended are cancelled."""
    for job in httpx2.get(f"{server.url}/v1/jobs").raise_for_status().json()["jobs"]:
        httpx2.delete(f"{server.url}/v1/jobs/{job['id']}").raise_for_status()


def kill(server: Served) -> None:
    os.kill(server.pid, signal.SIGKILL)
    server.process.wait()


def finished(server: Served, id: str) -> Outcome:
    """The results of the job once it is done; raises RuntimeError if it fails."""
    started = monotonic()
    while (job := show(server, id))["state"] not in ENDED:
        if monotonic() > started + WAIT_S:
            raise RuntimeError(f"the job is not done after {WAIT_S:g} s: {job}")
        sleep(0.02)
    if job["state"] != "done":
        raise RuntimeError(f"the job failed: {job}")
    seconds, place = monotonic() - started, f"{server.url}/v1/jobs/{id}/pictures/0"
    prediction = httpx2.get(f"{place}/result").raise_for_status().json()
    mask = httpx2.get(f"{place}/files/mask").raise_for_status().content
    del prediction["timing_ms"]
    return Outcome(prediction, mask, seconds)


def differences(one: Outcome, other: Outcome) -> list[str]:
    """How two outcomes differ beyond rounding, in words."""
    faults = [
        f"{name} is {one.prediction[name]}, and was {other.prediction[name]}"
        for name in ("score", "raw_score")
        if abs(one.prediction[name] - other.prediction[name]) > ROUNDING * max(abs(other.prediction[name]), 1.0)
    ]
    boxes = [
        sorted(str((each["box"], each["area"])) for each in outcome.prediction["regions"]) for outcome in (one, other)
    ]
    common = len(set(boxes[0]) & set(boxes[1]))
    if max(len(boxes[0]), len(boxes[1])) - common > MOST_DIFFERING * max(map(len, boxes)):
        faults.append(f"{len(boxes[0])} regions, and were {len(boxes[1])}, {common} of them equal")
    masks = [_pixels(outcome.mask) for outcome in (one, other)]
    if masks[0].shape != masks[1].shape or (masks[0] != masks[1]).mean() > MOST_DIFFERING:
        faults.append("the masks differ")
    return faults


def _pixels(file: bytes) -> "np.typing.NDArray[np.generic]":
    Image.MAX_IMAGE_PIXELS = None  # these are our own
    with Image.open(io.BytesIO(file)) as image:
        return np.asarray(image)


if __name__ == "__main__":
    main()
