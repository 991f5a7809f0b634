"""Reading pictures in processes beside reading them in threads of the server, which it replaced.

    .venv/bin/python -m benchmarks.decoding_processes reading latency throughput headers

One server process with the demo model answers all requests; signals switch it between both ways, so that they are
measured in turn, in the same process. Reported are the median latency of single pictures, which alternate; the pictures
per second of four clients, in windows that alternate; and the longest latency of answers that need only a header, while
all decoders are busy with pictures of 64 megapixels. The part "reading" measures header and pixels alone, without a
server, so that it shows differences of a millisecond on a machine that has other work.
"""

import asyncio
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from statistics import median
from tempfile import SpooledTemporaryFile
from time import monotonic, perf_counter, sleep
from typing import TypeVar

import numpy as np
from PIL import Image
from torch import Tensor

from app.application import build_app
from app.decoders.decoders import Decoders
from app.decoding import decode, read_header
from app.environment import prepare_process
from app.heap import share_one_heap
from app.server import Server, listen
from app.service.reading import PictureReader
from app.service.source import Source, Upload
from app.settings import Settings
from app.tiling import Size
from benchmarks.hardware import write
from scripts.demo.surface import normal_surface

T = TypeVar("T")
SWITCHES = {"threads": signal.SIGUSR1, "processes": signal.SIGUSR2}
READING_ROUNDS, LATENCY_ROUNDS, WINDOWS, WINDOW_S, CLIENTS, HEADERS = 200, 12, 6, 4.0, 4, 40
MAX_PIXELS = 8192 * 8192
PATH = "/v1/models/demo/predict"


class InThreads:
    """Reads pictures as the server did before: headers in one thread, pixels in two."""

    def __init__(self) -> None:
        self._headers, self._pictures = ThreadPoolExecutor(1), ThreadPoolExecutor(2)

    async def size(self, source: Source) -> tuple[Size, float]:
        header = await self._run(self._headers, lambda: read_header(_data(source), max_pixels=MAX_PIXELS))
        return (header.height, header.width), 0.0

    async def pixels(self, source: Source, size: Size) -> tuple[Tensor, float]:
        return await self._run(self._pictures, lambda: decode(_data(source), max_pixels=MAX_PIXELS)), 0.0

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)


def _data(source: Source) -> bytes:
    assert isinstance(source, Upload)
    source.file.seek(0)
    return source.file.read()


def serve() -> None:
    """Serves the demo until SIGTERM; prints the port."""
    prepare_process()
    share_one_heap()
    settings = Settings(device="cpu")
    app = build_app(settings)
    predictor = app.state.services.predictor
    readers = {"processes": predictor._reader, "threads": InThreads()}
    for name, number in SWITCHES.items():
        signal.signal(number, lambda *_, name=name: setattr(predictor, "_reader", readers[name]))
    with listen("127.0.0.1", 0) as listener:
        print(listener.getsockname()[1], flush=True)
        Server(app, settings).run(sockets=[listener])


class Client:
    """A connection to the server."""

    def __init__(self, port: int) -> None:
        self._connection = HTTPConnection("127.0.0.1", port, timeout=600)

    def ask(self, data: bytes, query: str = "", expected: int = 200) -> float:
        """The seconds until the answer."""
        started = perf_counter()
        self._connection.request("POST", PATH + query, data, {"Content-Type": "image/png"})
        answer = self._connection.getresponse()
        answer.read()
        assert answer.status == expected, answer.status
        return perf_counter() - started

    def is_ready(self) -> bool:
        try:
            self._connection.request("GET", "/readyz")
            answer = self._connection.getresponse()
            answer.read()
        except OSError:
            return False
        return answer.status == 200


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        serve()
        return
    command = [sys.executable, "-m", "benchmarks.decoding_processes", "serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        port = int(server.stdout.readline())
        try:
            while not Client(port).is_ready():
                sleep(0.2)
            result = {part: PARTS[part](server, port) for part in sys.argv[1:]}
        finally:
            server.terminate()
    write("decoding-processes-" + "-".join(sys.argv[1:]), {"processors": len(os.sched_getaffinity(0)), **result})


def _reading(*_: object) -> dict[str, dict[str, float]]:
    """The median seconds of header and pixels of each kind of picture, both ways."""
    return {name: asyncio.run(_read(data)) for name, data in _pictures().items()}


async def _read(data: bytes) -> dict[str, float]:
    decoders = Decoders(2, MAX_PIXELS, False, print)
    with ThreadPoolExecutor(2) as threads, SpooledTemporaryFile(2**20) as file:
        file.write(data)
        source = Upload(file)  # type: ignore[arg-type]  # it has the methods that are called
        readers: dict[str, InThreads | PictureReader] = {
            "threads": InThreads(),
            "processes": PictureReader(decoders, threads, max_pixels=MAX_PIXELS, pinned=False),
        }
        found = {name: list[float]() for name in readers}
        for _ in range(READING_ROUNDS):
            for name, reader in readers.items():
                started = perf_counter()
                size, _ = await reader.size(source)
                image, _ = await reader.pixels(source, size)
                int(image.numpy().max())  # maps the pages, as the first use does
                found[name].append(perf_counter() - started)
    await decoders.close()
    return {name: round(median(each), 5) for name, each in found.items()}


def _switch(server: "subprocess.Popen[str]", name: str) -> None:
    os.kill(server.pid, SWITCHES[name])
    sleep(0.02)


def _pictures() -> dict[str, bytes]:
    drawn = Image.fromarray(normal_surface(np.random.default_rng(0), (1024, 1024)))
    return {
        "png-1024": _encoded(drawn, "PNG"),
        "jpeg-1024": _encoded(drawn, "JPEG", quality=90),
        "png-256": _encoded(drawn.crop((0, 0, 256, 256)), "PNG"),
    }


def _encoded(image: Image.Image, format: str, **options: int) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def _all_latencies(server: "subprocess.Popen[str]", port: int) -> dict[str, dict[str, float]]:
    """The median seconds of each kind of picture, both ways."""
    return {name: _latencies(server, port, data) for name, data in _pictures().items()}


def _latencies(server: "subprocess.Popen[str]", port: int, data: bytes) -> dict[str, float]:
    client, found = Client(port), {name: list[float]() for name in SWITCHES}
    for number in range(LATENCY_ROUNDS + 3):
        for name, seconds in found.items():
            _switch(server, name)
            taken = client.ask(data)
            if number >= 3:
                seconds.append(taken)
    return {name: round(median(each), 4) for name, each in found.items()}


def _throughput(server: "subprocess.Popen[str]", port: int) -> dict[str, object]:
    data, found = _pictures()["png-1024"], {name: list[float]() for name in SWITCHES}
    for _ in range(WINDOWS):
        for name, rates in found.items():
            _switch(server, name)
            rates.append(round(_rate(port, data), 3))
    medians = {name: median(rates) for name, rates in found.items()}
    return {"windows": found, "median": medians, "ratio": round(medians["processes"] / medians["threads"], 4)}


def _rate(port: int, data: bytes) -> float:
    """Pictures per second of all clients; each picture counts by the time until the last answer."""
    started = monotonic()

    def repeat(_: int) -> int:
        client, count = Client(port), 0
        while monotonic() < started + WINDOW_S:
            client.ask(data)
            count += 1
        return count

    with ThreadPoolExecutor(CLIENTS) as pool:
        count = sum(pool.map(repeat, range(CLIENTS)))
    return count / (monotonic() - started)


def _header_latencies(server: "subprocess.Popen[str]", port: int) -> float:
    """The longest latency of requests that are refused after their header was read, while large pictures are decoded.

    Their region of interest lies in the corner, so that decoding is most of their work.
    """
    _switch(server, "processes")
    large = _encoded(Image.fromarray(np.zeros((8192, 8192), np.uint8)).convert("RGB"), "PNG", compress_level=1)
    small = _pictures()["png-256"]
    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(Client(port).ask, large, "?roi=0,0,64,64") for _ in range(CLIENTS)]
        sleep(0.5)
        client, seconds = Client(port), []
        for _ in range(HEADERS):
            seconds.append(client.ask(small, "?roi=9000,0,64,64", 422))
            sleep(0.05)
        for each in running:
            each.result()
    return round(max(seconds), 4)


PARTS: dict[str, Callable[["subprocess.Popen[str]", int], object]] = {
    "reading": _reading,
    "latency": _all_latencies,
    "throughput": _throughput,
    "headers": _header_latencies,
}

if __name__ == "__main__":
    main()
