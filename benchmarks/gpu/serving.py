"""Measurements over HTTP: pictures per second, latency, the time of each stage, and the busy share of the device."""

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from urllib.request import urlopen

from prometheus_client.parser import text_string_to_metric_families

from app.pipeline.stages import Stage
from benchmarks.gpu.encoded import FORMATS, encoded
from benchmarks.gpu.load import load
from benchmarks.gpu.setting import Setting
from benchmarks.throughput.servers import Server, running

Counters = dict[str, float]
PICTURE_STAGES = ("decode", "queue", "device", "render")


def run(setting: Setting) -> None:
    """Measures each detector, format and number of clients; then the large picture with one client."""
    scale = setting.scale
    for name in scale.served:
        with serving(setting, name) as server:
            for format in FORMATS:
                picture = encoded(scale.picture, format)
                load(server, picture, 2, scale.seconds / 4)
                for clients in scale.clients:
                    figures = measured(setting, server, picture, clients)
                    setting.results.add(f"{name}, {format}, {clients} clients", {"bytes": len(picture), **figures})
            large = encoded(scale.large, "jpeg")
            figures = measured(setting, server, large, 1)
            setting.results.add(f"{name}, large jpeg, 1 clients", {"bytes": len(large), **figures})


@contextmanager
def serving(setting: Setting, name: str, *options: str) -> Iterator[Server]:
    """Yields this program's server with one of the models of the step `models`; stages are timed."""
    arguments = [
        "-m",
        "app",
        "serve",
        "--models_dir",
        str(setting.repository(name).root),
        "--device",
        str(setting.device),
    ]
    arguments += ["--stage_times", "true", "--log_level", "warning", *options]
    with running(arguments, port_option="--port") as (process, port):
        yield Server(process, port, f"/v1/models/{name}/predict", None)


def measured(setting: Setting, server: Server, picture: bytes, clients: int) -> dict[str, object]:
    """Pictures per second, quantiles of the request time, seconds per picture of each stage, and busy shares."""
    before, started = counters(server), perf_counter()
    seen = load(server, picture, clients, setting.scale.seconds)
    elapsed, after = perf_counter() - started, counters(server)
    spent = {name: after.get(name, 0.0) - before.get(name, 0.0) for name in after}
    count = len(seen.seconds)
    answered = sum(spent.get(stage, 0.0) for stage in PICTURE_STAGES)
    stages = {"receive and send": (spent["request"] - answered) / count}
    stages |= {stage: spent.get(stage, 0.0) / count for stage in ("decode", "queue", "render")}
    host = {stage: spent.get(f"{stage}, host", 0.0) / count for stage in Stage}
    device = {stage: spent.get(f"{stage}, device", 0.0) / count for stage in Stage}
    return {
        "pictures_per_s": seen.pictures_per_s,
        "p50_s": seen.quantile(0.5),
        "p95_s": seen.quantile(0.95),
        "stage_s": stages,
        "host_s": host,
        "device_s": device,
        "device_busy": sum(device.values()) * count / elapsed,
        "server_cores_busy": spent["processor"] / elapsed,
    }


def counters(server: Server) -> Counters:
    """The server's counters of time, in seconds."""
    with urlopen(f"http://127.0.0.1:{server.port}/metrics", timeout=30) as answer:
        text = answer.read().decode()
    found: Counters = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = _counter(sample.name, sample.labels)
            if name is not None:
                found[name] = found.get(name, 0.0) + sample.value
    return found


def _counter(metric: str, labels: dict[str, str]) -> str | None:
    if metric == "tessera_stage_seconds_sum":
        return labels["stage"]
    if metric == "tessera_model_stage_seconds_total":
        return f"{labels['stage']}, {labels['clock']}"
    if metric == "tessera_request_seconds_sum" and labels["route"].endswith("/predict"):
        return "request"
    return "processor" if metric == "process_cpu_seconds_total" else None
