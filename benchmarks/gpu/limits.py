"""The limits of the machine: bandwidth of bus and memory, arithmetic, and decoding. The roofline uses these limits."""

import os
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import torch
from torch import Tensor

from app.decoding import decode
from app.runtime.network import DTYPES
from benchmarks.gpu.encoded import FORMATS, encoded
from benchmarks.gpu.setting import Setting

EDGE = {"cuda": 8192, "cpu": 768}  # of the matrices whose products are timed
COPY_BYTES = {"cuda": 2**30, "cpu": 2**26}


def run(setting: Setting) -> None:
    """Measures each limit."""
    kind = setting.device.type
    results, half = setting.results, DTYPES[setting.half]
    results.add("processors", len(os.sched_getaffinity(0)))
    host = torch.empty(COPY_BYTES[kind], dtype=torch.uint8, pin_memory=kind == "cuda")
    there = torch.empty(COPY_BYTES[kind], dtype=torch.uint8, device=setting.device)
    other = torch.empty_like(there)
    results.add("upload_bytes_per_s", len(host) / setting.seconds(lambda: there.copy_(host, non_blocking=True)))
    results.add("download_bytes_per_s", len(host) / setting.seconds(lambda: host.copy_(there, non_blocking=True)))
    results.add("memory_bytes_per_s", 2 * len(there) / setting.seconds(lambda: other.copy_(there)))
    results.add("half_flop_per_s", _products(setting, half, EDGE[kind]))
    results.add("float32_flop_per_s", _products(setting, torch.float32, EDGE[kind] // 2))
    for format in FORMATS:
        results.add(f"decode_{format}_per_s", _decoding(setting, encoded(setting.scale.picture, format)))


def _products(setting: Setting, dtype: torch.dtype, edge: int) -> float:
    """Floating-point operations per second of the product of two square matrices of random values."""
    left, right = (torch.randn(edge, edge, device=setting.device).to(dtype) for _ in range(2))
    out = torch.empty_like(left)
    return float(2 * edge**3 / setting.seconds(lambda: torch.mm(left, right, out=out)))


def _decoding(setting: Setting, data: bytes) -> dict[str, float]:
    """Pictures per second of one decoding thread, and of one thread per processor."""
    one = partial(decode, data, max_pixels=2**26)
    found = {"1": 1 / setting.seconds(one)}
    threads = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(threads) as pool:

        def all_at_once() -> list[Tensor]:
            return [each.result() for each in [pool.submit(one) for _ in range(4 * threads)]]

        found["all"] = 4 * threads / setting.seconds(all_at_once)
    return found
