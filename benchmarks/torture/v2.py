"""Sends hostile requests to /v2 and hostile forms, and measures what they cost a server beside its probe.

    python -m benchmarks.torture.v2

Each kind is sent by several clients at once to one server of the demo, while another client asks for `/livez` every
50 ms. The table has the statuses, the time of all clients together, the largest growth of the server's memory over
what it had before the kind, and the longest time of `/livez`. The clients are processes of their own. Needs nothing
but the demo.
"""

import argparse
import gzip
import os
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryFile
from threading import Event, Thread
from time import monotonic, sleep

import httpx2
import psutil

from benchmarks.hardware import write

ROOT = Path(__file__).parent.parent.parent
INFER, INDEX, FORM = "/v2/models/demo/infer", "/v2/repository/index", "/v1/models/demo/predict"
LENGTH = "Inference-Header-Content-Length"
MB = 2**20
READY_S = 120.0
PROBE_S = 0.05
TENSOR = b'{"inputs":[{"name":"image","shape":%s,"datatype":"%s","parameters":%s,"data":%s}]}'
MULTIPART = {"Content-Type": "multipart/form-data; boundary=B"}
PACKED = {"Content-Encoding": "gzip"}

Request = tuple[str, bytes, dict[str, str]]


def pixels(data: bytes, shape: bytes = b"[1,1,3]", datatype: bytes = b"UINT8", parameters: bytes = b"{}") -> bytes:
    return TENSOR % (shape, datatype, parameters, data)


def numbers(count: int, number: bytes, datatype: bytes) -> bytes:
    shape = b"[1,%d,1,1]" % count
    return pixels(b"[" + number + (b"," + number) * (count - 1) + b"]", shape, datatype, b'{"layout":"NHWC"}')


def binary(size: int) -> Request:
    head = pixels(b"null", b"[1]", b"BYTES", b'{"binary_data_size":%d}' % size)
    data = (size - 4).to_bytes(4, "little") + bytes(size - 4)
    return INFER, head + data, {LENGTH: str(len(head))}


def part(content: bytes, headers: bytes = b"") -> bytes:
    return b'--B\r\nContent-Disposition: form-data; name="a"%s\r\n\r\n%s\r\n' % (headers, content)


LISTS = b"[" + b"[]," * (10 * MB) + b"1]"
KINDS: dict[str, Callable[[], Request]] = {
    "gzip of 30 MB of [],[], as data": lambda: (INFER, gzip.compress(pixels(LISTS)), PACKED),
    "30 MB of [],[], as data": lambda: (INFER, pixels(LISTS), {}),
    "30 MB of [],[], in an unknown field": lambda: (INFER, b'{"x":%s}' % LISTS, {}),
    "30 MB of [],[], as a parameter": lambda: (INFER, pixels(b"[1]", parameters=b'{"x":%s}' % LISTS), {}),
    "2.6 million keys": lambda: (INFER, b"{" + b",".join(b'"%07d":1' % key for key in range(2_600_000)) + b"}", {}),
    "nesting of 30 million": lambda: (INFER, b'{"x":' + b"[" * (30 * MB), {}),
    "string of 30 MB": lambda: (INFER, b'{"id":"' + b"a" * (30 * MB) + b'","inputs":[]}', {}),
    "number of 30 million digits": lambda: (INFER, pixels(b"[" + b"9" * (30 * MB) + b"]"), {}),
    "size of 5,000 digits": lambda: (INFER, pixels(b"[1]", b"[%s]" % (b"9" * 5000)), {}),
    "16 million floats": lambda: (INFER, numbers(16_000_000, b"2", b"FP32"), {}),
    "7 million numbers too large": lambda: (INFER, numbers(7_000_000, b"999", b"UINT8"), {}),
    "binary elements of 250 MB": lambda: binary(250_000_000),
    "raw body of 250 MB": lambda: (INFER, bytes(250_000_000), {LENGTH: "0"}),
    "JSON of 250 MB": lambda: (INFER, b"[" * 250_000_000, {}),
    "index of 250 MB": lambda: (INDEX, b"[" * 250_000_000, {}),
    "gzip of a million empty members": lambda: (INFER, gzip.compress(b"", mtime=0) * 1_000_000, PACKED),
    "gzip of 10 GB": lambda: (INFER, gzip.compress(bytes(250 * MB)) * 40, PACKED),
    "form of 100,000 parts": lambda: (FORM, part(b"x") * 100_000 + b"--B--\r\n", MULTIPART),
    "form with 100 MB of text": lambda: (FORM, part(bytes(100 * MB)) + b"--B--\r\n", MULTIPART),
    "lines like the boundary, 60 MB": lambda: (FORM, part(b"\r\n--Bx" * (10 * MB)) + b"--B--\r\n", MULTIPART),
    "epilogue of 100 MB": lambda: (FORM, b"--B--\r\n" + bytes(100 * MB), MULTIPART),
    "header of a part, 50 MB": lambda: (FORM, part(b"x", b"\r\nX: " + b"y" * (50 * MB)) + b"--B--\r\n", MULTIPART),
    "charset=undefined": lambda: (
        FORM,
        part(b"\xff") + b"--B--\r\n",
        {"Content-Type": f"{MULTIPART['Content-Type']}; charset=undefined"},
    ),
}
"""The requests by kind: path, body and headers."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--only", default="", help="kinds whose name has this text")
    given = parser.parse_args()
    table = {}
    with server() as (url, process), ProcessPoolExecutor(given.clients) as pool:
        for kind in KINDS:
            if given.only in kind:
                table[kind] = attack(url, process, kind, given.clients, pool)
                print(kind, table[kind], flush=True)
    if not given.only:
        write("torture-v2", {"clients": given.clients, "kinds": table})


def attack(url: str, process: psutil.Process, kind: str, clients: int, pool: ProcessPoolExecutor) -> dict[str, object]:
    """Sends a kind by all clients at once."""
    path, body, headers = KINDS[kind]()
    ended, waits, sizes = Event(), [0.0], [memory(process)]
    watchers = [Thread(target=probe, args=(url, ended, waits)), Thread(target=watch, args=(process, ended, sizes))]
    with NamedTemporaryFile() as file:
        file.write(body)
        file.flush()
        for each in watchers:
            each.start()
        started = monotonic()
        answers = [pool.submit(send, url + path, file.name, headers) for _ in range(clients)]
        statuses = Counter(str(answer.result()) for answer in answers)
    seconds = monotonic() - started
    ended.set()
    for each in watchers:
        each.join()
    return {
        "statuses": dict(sorted(statuses.items())),
        "seconds": round(seconds, 1),
        "memory_grew_mb": round((max(sizes) - sizes[0]) / MB),
        "slowest_livez_s": round(max(waits), 2),
    }


def send(url: str, body: str, headers: dict[str, str]) -> int | str:
    """The status of a request with the body in this file, or the name of the exception."""
    try:
        return httpx2.post(url, content=Path(body).read_bytes(), headers=headers, timeout=300).status_code
    except httpx2.HTTPError as error:
        return type(error).__name__


def probe(url: str, ended: Event, waits: list[float]) -> None:
    with httpx2.Client(base_url=url, timeout=60) as client:
        while not ended.is_set():
            started = monotonic()
            try:
                assert client.get("/livez").status_code == 200
            finally:
                waits.append(monotonic() - started)
            sleep(PROBE_S)


def watch(process: psutil.Process, ended: Event, sizes: list[int]) -> None:
    while not ended.is_set():
        sizes.append(memory(process))
        sleep(PROBE_S)


def memory(process: psutil.Process) -> int:
    """The resident bytes of the server and its processes."""
    total = 0
    for each in (process, *process.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            total += each.memory_info().rss
    return total


@contextmanager
def server() -> Iterator[tuple[str, psutil.Process]]:
    """A server of the demo that is ready."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url, command = f"http://127.0.0.1:{port}", [sys.executable, "-m", "app", "serve", "--port", str(port)]
    with TemporaryFile() as log, subprocess.Popen(command, cwd=ROOT, stderr=log, env=os.environ) as running:
        try:
            until = monotonic() + READY_S
            while True:
                with suppress(httpx2.HTTPError):
                    if httpx2.get(f"{url}/readyz").status_code == 200:
                        break
                if monotonic() > until:
                    raise SystemExit("the server is not ready in time")
                sleep(0.2)
            yield url, psutil.Process(running.pid)
        finally:
            running.terminate()
            running.wait()


if __name__ == "__main__":
    main()
