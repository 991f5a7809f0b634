"""What access, log, record, sinks and camera cost together: throughput of two servers, in turn.

    python -m benchmarks.overhead [--rounds 9] [--requests 60]

Both serve the demo model to four clients. One has no keys and the text log, and its version has no baseline of the
camera. The other asks for a key with a rate, writes a JSON log and the record of verdicts, sends each verdict to a
folder and to a webhook on this machine, and compares each picture with a baseline. Both run the model in the same way,
which each server would otherwise choose by measurements of its own. All responses must be predictions, and the scores
of both must be equal.
"""

import argparse
import http.server
import json
import shutil
import subprocess
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from secrets import token_bytes
from statistics import median
from tempfile import TemporaryDirectory
from threading import Thread

from benchmarks.hardware import write
from benchmarks.throughput.clients import body, connect, load, post
from benchmarks.throughput.models import MODELS
from benchmarks.throughput.servers import Server, tessera
from scripts.demo.dataset import Plan, write_dataset

ROOT = Path(__file__).parent.parent
NAME, CLIENTS, WARM_UP, PICTURES = "demo", 4, 16, 12
EXECUTION = ("--precision", "float32", "--batch_tiles", "4", "--cpu_lanes", "2")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--requests", type=int, default=60)
    given = parser.parse_args()
    pictures = [(ROOT / f"examples/{name}.png").read_bytes() for name in ("normal", "defect")]
    with TemporaryDirectory() as temporary, ExitStack() as running:
        work = Path(temporary)
        plain = running.enter_context(tessera(NAME, _models(work / "plain"), *EXECUTION))
        full = running.enter_context(_full(work / "full"))
        scores = [[_score(server, picture) for picture in pictures] for server in (plain, full)]
        if scores[0] != scores[1]:
            raise SystemExit(f"the scores differ: {scores}")
        executions = [plain.execution(), full.execution()]
        for server in (plain, full):
            load(server, pictures, CLIENTS, WARM_UP)
        runs = []
        for number in range(given.rounds):
            order = (plain, full) if number % 2 else (full, plain)
            rates = {id(server): load(server, pictures, CLIENTS, given.requests).pictures_per_s for server in order}
            runs.append({"plain": round(rates[id(plain)], 3), "full": round(rates[id(full)], 3)})
            print(runs[-1], flush=True)
    ratios = [round(run["full"] / run["plain"], 4) for run in runs]
    write(
        "overhead",
        {
            "clients": CLIENTS,
            "requests": given.requests,
            "executions": executions,
            "runs": runs,
            "median_ratio": median(ratios),
        },
    )


def _models(work: Path) -> Path:
    shutil.copytree(ROOT / "models" / NAME, work / NAME / MODELS / NAME)
    return work


@contextmanager
def _full(work: Path) -> Iterator[Server]:
    """The server that does all."""
    models = _models(work) / NAME / MODELS
    _add_baseline(models, work)
    key = _tessera("keys", "new", "--keys_file", str(work / "keys.json"), "--name", "camera", "--tiles_per_s", "100000")
    with _webhook() as port:
        secret = work / "secret"
        secret.write_text(f"whsec_{b64encode(token_bytes(32)).decode()}")
        sinks = f"folder:{work / 'verdicts'}, http://127.0.0.1:{port}/#secret_file={secret}"
        options = ["--keys_file", str(work / "keys.json"), "--log_format", "json", "--on_verdict", sinks]
        options += ["--verdict_record", str(work / "record.csv"), "--spool_dir", str(work / "spool")]
        with tessera(NAME, work, *EXECUTION, *options) as server:
            yield replace(server, key=key.strip())


def _add_baseline(models: Path, work: Path) -> None:
    """Adds a version with thresholds of other pictures, and so with a baseline of the camera."""
    data = write_dataset(work / "data", Plan(train=PICTURES, test=0)) / "train"
    pictures = ("--data", "Folder", "--data.root", str(data), "--data.normal_dir", "good")
    _tessera("calibrate", "--name", NAME, "--models_dir", str(models), "--false_positive_rate", "0.05", *pictures)


def _tessera(*words: str) -> str:
    command = [sys.executable, "-m", "app", *words]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _score(server: Server, picture: bytes) -> object:
    answer = json.loads(post(connect(server), server.predict, body(picture, server.field), server.key))
    return answer["raw_score"]


class _Taken(http.server.BaseHTTPRequestHandler):
    """Takes all events."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Writes nothing."""


@contextmanager
def _webhook() -> Iterator[int]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Taken) as receiver:
        Thread(target=receiver.serve_forever, daemon=True).start()
        yield receiver.server_address[1]
        receiver.shutdown()


if __name__ == "__main__":
    main()
