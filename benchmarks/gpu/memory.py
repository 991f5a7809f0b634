"""The memory of the GPU and of the host over many requests: it must not grow."""

import subprocess

import torch

from benchmarks.gpu.encoded import encoded
from benchmarks.gpu.serving import serving
from benchmarks.gpu.setting import Setting
from benchmarks.throughput.clients import load

CLIENTS, PARTS = 16, 10
NAME = "patchcore"


def run(setting: Setting) -> None:
    """Measures MiB after each tenth of the requests."""
    picture = encoded(setting.scale.picture, "png")
    requests = max(setting.scale.requests // PARTS, 1)
    host, card = [], []
    with serving(setting, NAME) as server:
        for _ in range(PARTS):
            load(server, [picture], min(CLIENTS, requests), requests)
            host.append(server.process.memory_info().rss / 2**20)
            card.append(_card_mib(server.process.pid) if setting.device.type == "cuda" else 0.0)
        peak = server.peak_mib()
    half = PARTS // 2
    growth = sum(host[half:]) / (PARTS - half) - host[half - 1]
    setting.results.add(
        NAME,
        {"requests": requests * PARTS, "host_mib": host, "card_mib": card, "peak_mib": peak, "host_growth_mib": growth},
    )


def _card_mib(pid: int) -> float:
    """MiB of GPU memory that a process holds, or that all processes hold if the driver does not separate processes."""
    query = ["nvidia-smi", "--query-compute-apps=pid,used_memory", "--format=csv,noheader,nounits"]
    lines = subprocess.run(query, check=True, stdout=subprocess.PIPE, text=True).stdout.splitlines()
    for line in lines:
        found, _, used = line.partition(",")
        if found.strip() == str(pid) and used.strip().isdigit():
            return float(used)
    free, total = torch.cuda.mem_get_info()
    return (total - free) / 2**20
