"""The measured figures of models on this machine, and the file that keeps them."""

import json
import os
import platform
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

from app.files import read_regular, replacing
from app.version import VERSION

FILE = "bench.json"
MOST_BYTES = 2**20
MOST_MODELS = 200
"""The file keeps the figures of this many models; the oldest are dropped first."""


@dataclass(frozen=True, slots=True)
class Place:
    """What figures depend on, besides the model: with another processor, device or version they are measured again.

    processors: those that compute, as torch counts them: physical cores, or fewer in a container with a quota
    """

    processor: str
    processors: int
    device: str
    torch_version: str
    tessera_version: str

    @classmethod
    def here(cls, device: torch.device) -> "Place":
        """This machine with this device."""
        name = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
        return cls(_processor(), torch.get_num_threads(), name, str(torch.__version__), VERSION)


@dataclass(frozen=True, slots=True)
class Figures:
    """What a model takes on this machine.

    pixel_s: seconds of all lanes together for each pixel of a tile: network, distances, map and regions
    lanes: the pictures that were computed at the same time
    decode_s: seconds of one processor to decode a pixel, by the format of the file
    file_bytes: bytes of the file for each pixel, by its format
    map_s: seconds of one thread for each pixel of the map, after all distances were measured: map, score and regions
    render_s: seconds of one processor to draw and encode a pixel of a heatmap over its picture
    drawn_bytes: bytes of the file of that heatmap for each pixel
    resident_bytes: the memory of a process that has the model loaded and has predicted, without the pictures
    device_bytes: the memory on the card; 0 for a CPU
    measured: the date, in ISO 8601
    """

    pixel_s: float
    lanes: int
    decode_s: dict[str, float]
    file_bytes: dict[str, float]
    map_s: float
    render_s: float
    drawn_bytes: float
    resident_bytes: int
    device_bytes: int
    measured: str


def default_file() -> Path:
    """The file in the user's cache folder, by the XDG specification of base directories."""
    given = os.environ.get("XDG_CACHE_HOME", "")
    folder = Path(given) if given.startswith("/") else Path.home() / ".cache"
    return folder / "tessera" / FILE


def read_figures(path: Path, place: Place) -> dict[str, Figures]:
    """The figures that were measured at this place, by the key of the model. Empty if the file cannot be used."""
    with suppress(OSError, ValueError, TypeError, KeyError, RecursionError, AttributeError):
        content = json.loads(read_regular(path, MOST_BYTES))
        names = {field.name for field in fields(Figures)}
        return {
            key: Figures(**{name: each[name] for name in names})
            for key, each in content.items()
            if isinstance(each, dict) and each.get("place") == asdict(place)
        }
    return {}


def write_figures(path: Path, place: Place, key: str, figures: Figures) -> None:
    """Adds the figures of a model to the file, whose other entries stay. Raises OSError."""
    content: dict[str, object] = {}
    with suppress(OSError, ValueError, RecursionError):
        found = json.loads(read_regular(path, MOST_BYTES))
        content = found if isinstance(found, dict) else {}
    content.pop(key, None)
    content[key] = {"place": asdict(place), **asdict(figures)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(dict(list(content.items())[-MOST_MODELS:]), indent=2) + "\n")


def _processor() -> str:
    """The name of the processor, as the kernel gives it."""
    with suppress(OSError, UnicodeDecodeError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
