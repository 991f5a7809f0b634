"""The hardware and the versions of a measurement, and the file of its results."""

import json
import platform
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from app.version import VERSION

RESULTS = Path(__file__).parent / "results"


def describe() -> dict[str, object]:
    """The date, processor, cores, threads, GPU and versions."""
    info = Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return {
        "date": date.today().isoformat(),
        "processor": names[0] if names else platform.processor(),
        "cores": len(names) or None,
        "capability": torch.backends.cpu.get_cpu_capability(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "versions": {"tessera": VERSION} | {name: _version(name) for name in ("torch", "anomalib")},
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def write(name: str, result: dict[str, object]) -> Path:
    """Writes a result with the hardware to a JSON file, and prints it. The file's name has the date and `name`."""
    content = json.dumps({"hardware": describe(), **result}, indent=2)
    path = RESULTS / f"{date.today().isoformat()}-{name}.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(content + "\n")
    print(content)
    return path
