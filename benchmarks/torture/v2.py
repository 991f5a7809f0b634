"""Sends hostile requests to /v2, and hostile forms, and measures what they cost a server.

Several clients at once send each kind to one server of the demo, beside probes. The table has the statuses, the time of
all clients together, the largest growth of the server's memory over what it had before the kind, and the times of
`/livez`.
"""

import gzip
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

from benchmarks.torture.clients import Request, send
from benchmarks.torture.family import MemoryWatch
from benchmarks.torture.found import Found
from benchmarks.torture.probes import Probes, probing
from benchmarks.torture.served import Served

INFER, INDEX, FORM = "/v2/models/demo/infer", "/v2/repository/index", "/v1/models/demo/predict"
LENGTH = "Inference-Header-Content-Length"
MB = 2**20
LIVENESS_S = 0.5
TENSOR = b'{"inputs":[{"name":"image","shape":%s,"datatype":"%s","parameters":%s,"data":%s}]}'
MULTIPART = {"Content-Type": "multipart/form-data; boundary=B"}
PACKED = {"Content-Encoding": "gzip"}

Content = tuple[str, bytes, dict[str, str]]


def pixels(data: bytes, shape: bytes = b"[1,1,3]", datatype: bytes = b"UINT8", parameters: bytes = b"{}") -> bytes:
    return TENSOR % (shape, datatype, parameters, data)


def numbers(count: int, number: bytes, datatype: bytes) -> bytes:
    shape = b"[1,%d,1,1]" % count
    return pixels(b"[" + number + (b"," + number) * (count - 1) + b"]", shape, datatype, b'{"layout":"NHWC"}')


def binary(size: int) -> Content:
    head = pixels(b"null", b"[1]", b"BYTES", b'{"binary_data_size":%d}' % size)
    data = (size - 4).to_bytes(4, "little") + bytes(size - 4)
    return INFER, head + data, {LENGTH: str(len(head))}


def part(content: bytes, headers: bytes = b"") -> bytes:
    return b'--B\r\nContent-Disposition: form-data; name="a"%s\r\n\r\n%s\r\n' % (headers, content)


LISTS = b"[" + b"[]," * (10 * MB) + b"1]"
KINDS: dict[str, Callable[[], Content]] = {
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


def run(server: Served, control: Served, clients: int, kinds: Sequence[str] = ()) -> Found:
    """Sends each kind, or only these kinds, by `clients` at once."""
    table, faults = {}, []
    with ThreadPoolExecutor(clients) as pool, probing(server.port, control.port) as probes:
        for kind in kinds or KINDS:
            table[kind], wrong = attack(server, kind, clients, pool, probes)
            print(f"  {kind} {table[kind]} {'; '.join(wrong)}", flush=True)
            faults += [f"{kind}: {each}" for each in wrong]
    grown = max(int(str(row["memory_grew_mb"])) for row in table.values())
    slowest = max(float(str(row["livez_max_s"])) for row in table.values())
    summary = f"{len(table)} kinds by {clients} clients: memory + {grown} MB at most, /livez {slowest:.2f} s at most"
    return Found({"clients": clients, "kinds": table}, summary, faults)


def attack(
    server: Served, kind: str, clients: int, pool: ThreadPoolExecutor, probes: Probes
) -> tuple[dict[str, object], list[str]]:
    """Sends a kind by all clients at once; returns the figures, and what is wrong."""
    path, body, headers = KINDS[kind]()
    request = Request("POST", path, body, headers)
    probes.take()
    with MemoryWatch(server.pid) as memory:
        started = monotonic()
        answers = list(pool.map(lambda _: send(server.port, request), range(clients)))
    statuses = Counter(str(answer.status) for answer in answers)
    liveness = probes.take()
    row: dict[str, object] = {
        "statuses": dict(sorted(statuses.items())),
        "seconds": round(monotonic() - started, 1),
        "memory_grew_mb": memory.grown_mb,
        **liveness.figures(),
    }
    wrong = [f"{number} got {status}" for status, number in statuses.items() if not status.startswith("4")]
    return row, wrong + liveness.faults(LIVENESS_S)
