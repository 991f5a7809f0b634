"""Slow, stalled and too many clients at scale, beside probes, pictures and one slow camera.

A server of the demo model may open 256 files, then 4,096. Each kind of client attacks it for some seconds; a client
whose connection is closed comes again after five seconds. Meanwhile `/livez` is read, each time over a new connection,
the example picture is posted, and a camera uploads 5 MB with 50 kB/s, which spans several kinds.
"""

import asyncio
import io
import multiprocessing
import os
import socket
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.queues import Queue
from threading import Event

import httpx2
import psutil
from PIL import Image

from benchmarks.torture.family import MemoryWatch
from benchmarks.torture.found import Found
from benchmarks.torture.probes import Probes, probing
from benchmarks.torture.served import ROOT, Served, served

PREDICT = "/v1/models/demo/predict"
POST = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n".encode()
PAUSE_S = 5.0
CAMERA_BYTES_PER_S = 50_000
LIVENESS_S = 0.5
GROWTH_MB = 300
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


def run(
    control: Served, seconds: float, kinds: Sequence[str] = (), scales: Sequence[tuple[int, int]] = SCALES
) -> Found:
    """Attacks a server by each kind, or only by these kinds, for some seconds, at each scale."""
    rows, faults, cameras = [], [], Counter[str]()
    for files, connections in scales:
        with served(ROOT / "models", files=files) as server, ThreadPoolExecutor(1) as pool:
            stop = Event()
            camera = pool.submit(slow_camera, server.url, stop)
            with probing(server.port, control.port) as probes:
                for name in kinds or ATTACKS:
                    row, wrong = measure(name, files, connections, seconds, server, probes)
                    rows.append(row)
                    faults += [f"{name}, {files} files: {each}" for each in wrong]
                    print("  " + " ".join(f"{key}={value}" for key, value in row.items()), *wrong, flush=True)
            stop.set()
            cameras += camera.result()
    faults += [f"{number} uploads of the camera got {status}" for status, number in cameras.items() if status != "200"]
    slowest = max(float(str(row["livez_max_s"])) for row in rows)
    usual = max(float(str(row["control_livez_max_s"])) for row in rows)
    summary = (
        f"{len(rows)} kinds and scales: /livez {slowest:.2f} s at most, control {usual:.2f} s; "
        f"{sum(int(str(row['livez_failed'])) for row in rows)} probes failed"
    )
    return Found({"seconds": seconds, "rows": rows, "camera": dict(cameras)}, summary, faults)


def measure(
    name: str, files: int, connections: int, seconds: float, server: Served, probes: Probes
) -> tuple[dict[str, object], list[str]]:
    """Runs one attack; returns what was seen, and what is wrong."""
    results: Queue[Counter[str]] = multiprocessing.Queue()
    attackers = multiprocessing.Process(target=attack, args=(server.url, ATTACKS[name], connections, seconds, results))
    process, written, stop = psutil.Process(server.pid), server.log.stat().st_size, Event()
    pictures, busy_s = Counter[str](), cpu_s(process)
    probes.take()
    with ThreadPoolExecutor(1) as pool, MemoryWatch(server.pid, 0.1) as memory:
        attackers.start()
        posting = pool.submit(post_pictures, server.url, pictures, stop)
        got = results.get()
        attackers.join()
        stop.set()
        posting.result()
    liveness = probes.take()
    row: dict[str, object] = {
        "attack": name,
        "files": files,
        "clients": connections,
        **liveness.figures(),
        "pictures": dict(pictures),
        "memory_grew_mb": memory.grown_mb,
        "busy": round((cpu_s(process) - busy_s) / seconds, 2),
        "log_bytes": server.log.stat().st_size - written,
        "attackers_got": dict(got.most_common(5)),
    }
    wrong = liveness.faults(LIVENESS_S)
    wrong += [f"memory grew by {memory.grown_mb} MB"] if memory.grown_mb >= GROWTH_MB else []
    wrong += [f"{number} pictures got {each}" for each, number in pictures.items() if each not in ("200", "503")]
    return row, wrong


def post_pictures(url: str, pictures: Counter[str], stop: Event) -> None:
    """Posts the example picture again and again, each time over a new connection."""
    picture = (ROOT / "examples/normal.png").read_bytes()
    while not stop.wait(0.2):
        try:
            answer = httpx2.post(url + PREDICT, content=picture, headers={"Content-Type": "image/png"}, timeout=60)
            pictures[str(answer.status_code)] += 1
        except httpx2.TransportError as error:
            pictures[type(error).__name__] += 1


def slow_camera(url: str, stop: Event) -> Counter[str]:
    """Uploads 5 MB at 50 kB/s until it is stopped; the results of the uploads that came to an end."""
    file = io.BytesIO()
    Image.frombytes("L", (2240, 2240), os.urandom(2240 * 2240)).save(file, "BMP")
    picture, got = file.getvalue(), Counter[str]()

    def slowly() -> Iterator[bytes]:
        for start in range(0, len(picture), CAMERA_BYTES_PER_S // 5):
            if stop.wait(0.2):
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


def cpu_s(process: psutil.Process) -> float:
    """The processor time of the server, in seconds."""
    times = process.cpu_times()
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
