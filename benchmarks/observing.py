"""Measures what the log, the metrics, the record and the traces cost for each picture: python -m benchmarks.observing.

Prints microseconds of the event loop for one request with one picture and ten regions.
"""

import logging
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, perf_counter

from app.api import RequestRecord
from app.logs import JsonFormatter, TextFormatter
from app.metrics import Metrics
from app.observation import Observation
from app.pipeline import DefectRegion, Label
from app.records import VerdictRecord
from app.service import Timings, Verdict

ROUNDS = 3000
REGIONS = [DefectRegion(3, 4, 5, 6, 20, 0.75, (4, 5))] * 10


def microseconds(observation: Observation) -> float:
    """The mean time of one picture and its request."""
    times = Timings(0.01, 0.0, 0.2, 0.01, 0.22)
    started = perf_counter()
    for number in range(ROUNDS):
        verdict = Verdict("demo", 1, "d" * 64, "p" * 64, (960, 1280), 63, 0.4, 0.5, Label.normal, times, monotonic())
        observation.answered(verdict, REGIONS)
        path = "/v1/models/demo/predict"
        ends: Sequence[Verdict] = [verdict]
        request = RequestRecord("POST", path, path, "demo", 200, 0.2, "10.0.0.1", str(number), verdicts=ends)
        observation.request_done(request)
    return 1e6 * (perf_counter() - started) / ROUNDS


def _ignored(result: str, lines: int) -> None:
    pass


def main() -> None:
    """Prints one line for each way to observe."""
    formats: dict[str, Callable[[], logging.Formatter]] = {"text": TextFormatter, "json": JsonFormatter}
    logger = logging.getLogger("tessera.request")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    with Path(os.devnull).open("w") as stream, TemporaryDirectory() as folder:
        for name, formatter in formats.items():
            handler = logging.StreamHandler(stream)
            handler.setFormatter(formatter())
            logger.handlers = [handler]
            print(f"{name}: {microseconds(Observation(Metrics(), None, None)):.0f} us")
        record = VerdictRecord(Path(folder) / "record.csv", 2**26, 5, _ignored)
        record.start()
        print(f"{name} and record: {microseconds(Observation(Metrics(), record, None)):.0f} us", file=sys.stdout)
        record.stop()


if __name__ == "__main__":
    main()
