"""Slow, stalled and too many clients at scale, beside probes, pictures and one slow camera.

    python -m benchmarks.torture.connections --seconds 8

A server of the demo model may open 256 files, then 4,096. Each kind of client attacks it for some seconds; a client
whose connection is closed comes again after five seconds. Meanwhile `/livez` is read ten times a second, each time over
a new connection, the example picture is posted, and a camera uploads 5 MB with 50 kB/s, which spans several kinds.
"""

import argparse
import asyncio
import io
import multiprocessing
import os
import re
import resource
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.queues import Queue
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from threading import Event

import httpx2
import psutil
from PIL import Image

from benchmarks.hardware import write

ROOT = Path(__file__).parent.parent.parent
PREDICT = "/v1/models/demo/predict"
POST = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n".encode()
PAUSE_S = 5.0
CAMERA_BYTES_PER_S = 50_000
SCALES = ((256, 300), (4096, 2000))
"""The open files that the server may have, and the number of attacking connections."""


@dataclass(frozen=True, slots=True)
class Attack:
    """What a client sends at once, and then once a second; whether it reads what it gets."""

    at_once: bytes
    then: bytes = b""
    reads: bool = True


ATTACKS = {
    "silent": Attack(b""),
    "half a head": Attack(b"GET /livez HTTP/1.1\r\nHost: x\r\n"),
    "a dripping head": Attack(b"GET /livez HTTP/1.1\r\nHost: x\r\n", b"a"),
    "idle after a request": Attack(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"),
    "half a body": Attack(POST + b"Content-Length: 999999\r\n\r\n" + bytes(5000)),
    "a dripping body": Attack(POST + b"Content-Length: 999999\r\n\r\n", bytes(100)),
    "a body at the least rate": Attack(POST + b"Content-Length: 999999\r\n\r\n", bytes(1100)),
    "a body that no route reads": Attack(b"POST /livez HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n"),
    "tiny chunks": Attack(POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * 3000),
    "many headers": Attack(b"GET /livez HTTP/1.1\r\nHost: x\r\n" + b"a:\r\n" * 4000 + b"\r\n"),
    "no HTTP": Attack(b"\x16\x03\x01\x02\x00\r\n\r\n"),
    "no reading": Attack(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n" * 100, reads=False),
}


@dataclass
class Seen:
    """What was seen during one attack.

    liveness_s: the times of the requests for `/livez`; infinite for those that failed
    pictures: the number of responses to honest pictures, by status
    memory: the resident bytes of the server, sampled
    """

    liveness_s: list[float] = field(default_factory=list)
    pictures: Counter[str] = field(default_factory=Counter)
    memory: list[int] = field(default_factory=list)
    connections: list[int] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=8.0, help="the duration of each attack")
    parser.add_argument("--pause", type=float, default=PAUSE_S)
    parser.add_argument("--attacks", nargs="*", default=list(ATTACKS), choices=list(ATTACKS))
    given = parser.parse_args()
    rows = []
    for files, connections in SCALES:
        with server(files) as (process, url, log), ThreadPoolExecutor(1) as pool:
            stop = Event()
            camera = pool.submit(slow_camera, url, stop)
            for name in given.attacks:
                rows.append(measure(name, files, connections, given.seconds, process, url, log))
                print(*(f"{key}={value}" for key, value in rows[-1].items()), flush=True)
            stop.set()
            cameras = dict(camera.result())
            process.terminate()
            started = time.monotonic()
            status = process.wait(60)
            rows.append(
                {
                    "files": files,
                    "camera": cameras,
                    "exit_status": status,
                    "exit_s": round(time.monotonic() - started, 2),
                }
            )
            print(rows[-1], flush=True)
    write("torture-connections", {"seconds": given.seconds, "rows": rows})


@contextmanager
def server(files: int) -> Iterator[tuple[subprocess.Popen[bytes], str, Path]]:
    """Yields a ready server process that may have this number of open files, its URL and its log."""
    command = [sys.executable, "-m", "app", "serve", "--models_dir", str(ROOT / "models"), "--port", "0"]

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))

    with TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("w") as stream:
            process = subprocess.Popen(command, stderr=stream, cwd=ROOT, preexec_fn=limit)
        try:
            while not (found := re.search(r"on (http://\S+),", log.read_text())):
                time.sleep(0.1)
            while not is_ready(found[1]):
                time.sleep(0.1)
            yield process, found[1], log
        finally:
            process.kill()
            process.wait()


def is_ready(url: str) -> bool:
    try:
        return httpx2.get(f"{url}/readyz").status_code == 200
    except httpx2.TransportError:
        return False


def measure(
    name: str, files: int, connections: int, seconds: float, process: subprocess.Popen[bytes], url: str, log: Path
) -> dict[str, object]:
    """Runs one attack, and returns what was seen."""
    results: Queue[Counter[str]] = multiprocessing.Queue()
    attackers = multiprocessing.Process(target=attack, args=(url, ATTACKS[name], connections, seconds, results))
    before, written, seen, stop = resident(process), log.stat().st_size, Seen(), Event()
    busy_s = cpu_s(process)
    with ThreadPoolExecutor(2) as pool:
        attackers.start()
        watchers = [pool.submit(watch, process, url, seen, stop), pool.submit(post_pictures, url, seen, stop)]
        got = results.get()
        attackers.join()
        stop.set()
        for each in watchers:
            each.result()
    return {
        "attack": name,
        "files": files,
        "clients": connections,
        "open_at_most": max(seen.connections),
        "livez_median_s": round(median(seen.liveness_s), 3),
        "livez_max_s": round(max(seen.liveness_s), 3),
        "pictures": dict(seen.pictures),
        "memory_mb": round(max(seen.memory) / 1e6),
        "more_memory_mb": round((max(seen.memory) - before) / 1e6),
        "busy": round((cpu_s(process) - busy_s) / seconds, 2),
        "log_bytes": log.stat().st_size - written,
        "attackers_got": dict(got.most_common(5)),
    }


def watch(process: subprocess.Popen[bytes], url: str, seen: Seen, stop: Event) -> None:
    """Reads `/livez` over new connections, and samples memory and connections."""
    port = int(url.rpartition(":")[2])
    while not stop.wait(0.1):
        started = time.monotonic()
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
                connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                is_alive = connection.recv(100).startswith(b"HTTP/1.1 200 ")
        except OSError:
            is_alive = False
        seen.liveness_s.append(time.monotonic() - started if is_alive else float("inf"))
        seen.memory.append(resident(process))
        seen.connections.append(len(psutil.Process(process.pid).net_connections("tcp")) - 1)


def post_pictures(url: str, seen: Seen, stop: Event) -> None:
    """Posts the example picture again and again, each time over a new connection."""
    picture = (ROOT / "examples/normal.png").read_bytes()
    while not stop.wait(0.2):
        try:
            answer = httpx2.post(url + PREDICT, content=picture, headers={"Content-Type": "image/png"}, timeout=60)
            seen.pictures[str(answer.status_code)] += 1
        except httpx2.TransportError as error:
            seen.pictures[type(error).__name__] += 1


def slow_camera(url: str, stop: Event) -> Counter[str]:
    """Uploads 5 MB at 50 kB/s until it is stopped; the results of the uploads that came to an end."""
    file = io.BytesIO()
    Image.frombytes("L", (2240, 2240), os.urandom(2240 * 2240)).save(file, "BMP")
    picture, got = file.getvalue(), Counter[str]()

    def slowly() -> Iterator[bytes]:
        for start in range(0, len(picture), CAMERA_BYTES_PER_S // 5):
            time.sleep(0.2)
            if stop.is_set():
                raise InterruptedError
            yield picture[start : start + CAMERA_BYTES_PER_S // 5]

    headers = {"Content-Type": "image/bmp", "Content-Length": str(len(picture))}
    while not stop.is_set():
        try:
            got[str(httpx2.post(url + PREDICT, content=slowly(), headers=headers, timeout=120).status_code)] += 1
        except httpx2.TransportError as error:
            got[type(error).__name__] += 1
        except InterruptedError:
            break
    return got


def resident(process: subprocess.Popen[bytes]) -> int:
    """The resident memory of the server and its children, in bytes."""
    parent = psutil.Process(process.pid)
    return sum(each.memory_info().rss for each in (parent, *parent.children(recursive=True)))


def cpu_s(process: subprocess.Popen[bytes]) -> float:
    """The processor time of the server, in seconds."""
    times = psutil.Process(process.pid).cpu_times()
    return times.user + times.system


def attack(url: str, kind: Attack, connections: int, seconds: float, results: "Queue[Counter[str]]") -> None:
    """Keeps connections open for some seconds; puts what they got into the queue."""

    async def all_clients() -> Counter[str]:
        got, port = Counter[str](), int(url.rpartition(":")[2])
        clients = [asyncio.ensure_future(client(port, kind, got)) for _ in range(connections)]
        await asyncio.sleep(seconds)
        for each in clients:
            each.cancel()
        await asyncio.gather(*clients, return_exceptions=True)
        return got

    results.put(asyncio.run(all_clients()))


async def client(port: int, kind: Attack, got: Counter[str]) -> None:
    """Connects again and again; counts the first status of each connection that the server closes."""
    while True:
        try:
            raw = socket.socket()
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**16)
            raw.setblocking(False)
            await asyncio.get_running_loop().sock_connect(raw, ("127.0.0.1", port))
            reader, writer = await asyncio.open_connection(sock=raw, limit=2**16)
        except OSError:
            got["no connection"] += 1
            await asyncio.sleep(PAUSE_S)
            continue
        try:
            got["connections"] += 1
            answer = await talk(reader, writer, kind)
            got[answer[9:12].decode() if answer.startswith(b"HTTP/1.1 ") else "closed"] += 1
        finally:
            writer.transport.abort()
        await asyncio.sleep(PAUSE_S)


async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, kind: Attack) -> bytes:
    """The first bytes that the server sends before it closes the connection."""
    answer = b""
    try:
        writer.write(kind.at_once)
        while True:
            try:
                async with asyncio.timeout(1.0):
                    if not kind.reads:
                        writer.transport.pause_reading()  # type: ignore[attr-defined]  # asyncio's own is a transport
                        await asyncio.sleep(10)
                    data = await reader.read(2**16)
            except TimeoutError:
                writer.write(kind.then)
                if writer.transport.is_closing():
                    return answer
                continue
            answer = answer or data
            if not data:
                return answer
    except OSError:
        return answer


if __name__ == "__main__":
    main()
