"""One large picture over two engines on a Ray cluster, beside one engine, and beside one process without engines.

    python -m benchmarks.fan_out [--edge 8192] [--rounds 3]

Each engine is a process with one processor, and so is the process that divides the picture and stitches it. First that
process predicts the picture alone. Then one engine and two engines predict it in turn; each map must be equal to that
of the process alone to within rounding. The results have the seconds of each picture, and the tiles and the device time
of each engine. Needs the demo and the extra `ray`.
"""

import argparse
import asyncio
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic

import numpy as np
import ray
import torch
from PIL import Image
from ray import serve
from torch import Tensor

from app.application import DeviceParts, device_parts
from app.artifacts import Artifact
from app.deploy.arguments import EngineArguments
from app.deploy.engines import engine_deployment
from app.deploy.fan_out import ServeEngines
from app.metrics import Metrics
from app.pipeline import Outcome
from app.scheduling import Done
from app.service.engines import EngineState
from app.service.fan_out import Engines, FanOut
from app.settings import Settings
from benchmarks.hardware import write

ROOT = Path(__file__).parent.parent
ROUNDING = 2e-5
"""Maps may differ by this share of the largest value."""
PROCESSORS = 2
READY_S = 300.0
STORE_BYTES = 2**29


@dataclass(frozen=True, slots=True)
class Share:
    """What an engine computed of a picture."""

    tiles: int
    device_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """A picture that was predicted: the number of engines, the seconds that it took, and the share of each engine."""

    engines: int
    seconds: float
    shares: tuple[Share, ...]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edge", type=int, default=8192, help="of the picture, in pixels")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--name", default="fan-out", help="of the file of results")
    given = parser.parse_args()
    load = os.getloadavg()
    alone_s, runs = compared(ROOT / "models", "demo", surface(given.edge), [1, 2] * given.rounds)
    result = {"edge": given.edge, "load_before": load, "alone_s": alone_s, "runs": [asdict(run) for run in runs]}
    write(given.name, result)


def compared(models: Path, model: str, picture: Tensor, numbers: Sequence[int]) -> tuple[float, list[Run]]:
    """The seconds of the picture [C,H,W] in one process, and its runs over these numbers of engines, in turn."""
    torch.set_num_threads(1)
    values: dict[str, object] = {"models_dir": str(models.resolve()), "device": "cpu", "precision": "float32"}
    settings = Settings.model_validate(values)
    parts = device_parts(settings, Metrics())
    parts.worker.start()
    try:
        parts.catalogue.refresh()
        artifact = parts.catalogue.get(model)
        alone, alone_s = timed(parts, artifact, picture)
        runs = []
        with cluster():
            for engines in numbers:
                deployment = engine_deployment(EngineArguments(replicas=engines), settings)
                served = ServeEngines(serve.run(deployment, name="engines", route_prefix=None))
                runs.append(asyncio.run(run_over(served, engines, parts, artifact, picture, alone)))
    finally:
        parts.worker.stop()
    return alone_s, runs


@contextmanager
def cluster() -> Iterator[None]:
    """A cluster of one node in processes of its own, which nothing outside this machine reaches."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    ray.init(
        "local",  # and no other cluster of this machine
        num_cpus=PROCESSORS,
        object_store_memory=STORE_BYTES,
        include_dashboard=False,
        log_to_driver=False,
        _node_ip_address="127.0.0.1",
    )
    try:
        serve.start(proxy_location="Disabled")
        yield
    finally:
        serve.shutdown()  # type: ignore[no-untyped-call]  # Ray leaves it so
        ray.shutdown()


def timed(parts: DeviceParts, artifact: Artifact, picture: Tensor) -> tuple[Outcome, float]:
    """The outcome of the picture in this process, and its seconds."""
    started = monotonic()
    with parts.worker.admit(artifact.model.plan(*picture.shape[1:]).count) as ticket:
        outcome = parts.worker.submit(ticket, artifact.models, picture).result().outcome
    return outcome, monotonic() - started


async def run_over(
    served: ServeEngines, engines: int, parts: DeviceParts, artifact: Artifact, picture: Tensor, expected: Outcome
) -> Run:
    """A picture over this number of engines, once all of them are ready. Raises AssertionError for another outcome."""
    fan_out = FanOut(parts.worker, Engines([served], least_tiles=1))
    fan_out.start()
    try:
        before = await states(served, artifact, engines)
        started = monotonic()
        with parts.worker.admit(artifact.model.plan(*picture.shape[1:]).count) as ticket:
            done = await fan_out.predict(ticket, artifact, picture, None)
        seconds = monotonic() - started
        assert_equal(done, expected)
        after = await states(served, artifact, engines)
    finally:
        await fan_out.close()
    shares = (Share(after[id].tiles - was.tiles, after[id].device_s - was.device_s) for id, was in before.items())
    return Run(engines, seconds, tuple(shares))


async def states(served: ServeEngines, artifact: Artifact, engines: int) -> dict[str, EngineState]:
    """The states of the engines by their ids, once so many serve the artifact."""
    async with asyncio.timeout(READY_S):
        while True:
            await served.refresh()
            found = served.states
            if len(found) == engines and all(artifact.digest in each.digests for each in found):
                return {each.id: each for each in found}
            await asyncio.sleep(0.2)


def assert_equal(done: Done, expected: Outcome) -> None:
    """Raises AssertionError unless the map and the score differ by rounding only."""
    found, most = done.outcome, ROUNDING * float(expected.anomaly_map.max())
    torch.testing.assert_close(found.anomaly_map, expected.anomaly_map, rtol=0, atol=most)
    np.testing.assert_allclose(found.raw_score, expected.raw_score, rtol=ROUNDING)


def surface(edge: int) -> Tensor:
    """Repeated examples of the demo's surface, with defects, [3,edge,edge] uint8."""
    tiles = []
    for name in ("normal", "defect"):
        with Image.open(ROOT / f"examples/{name}.png") as image:
            tiles.append(np.asarray(image.convert("RGB")))
    pair = np.concatenate(tiles, 1)
    height, width = pair.shape[:2]
    whole = np.tile(pair, (-(-edge // height), -(-edge // width), 1))[:edge, :edge]
    return torch.from_numpy(np.ascontiguousarray(whole.transpose(2, 0, 1)))


if __name__ == "__main__":
    main()
