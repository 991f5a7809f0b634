"""Other decoders beside `app.decoding.decode`: processor time from JPEG or PNG bytes to contiguous [C,H,W] uint8.

    .venv/bin/python -m benchmarks.decoding --root ../shared/data/kolektorsdd

There are two pictures, each as RGB and as grey: a defective picture of KolektorSDD, resized, and a drawn picture of
the demo's surface. The picture of KolektorSDD is grey, so its three channels are equal. First the pixels are compared
with those of `decode`: those of a PNG must agree; of a JPEG the largest difference is reported. Then all decoders run
in turn. Decoders that are not installed are left out. "Parts" are the steps of `decode` (the checks before decoding,
Pillow's decoding, and the split into channels), and the inflation of a PNG's pixels by other libraries.

Seconds are the median processor time of one thread, which excludes the time of other programs. "Beside" is the
processor time that a second thread, which runs only Python code, gets during decodes, divided by the time of the
decodes: about 1 if the decoder releases the GIL, and about 0.3 if it holds the GIL and releases it only between
decodes.
"""

import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import product
from pathlib import Path
from statistics import median
from threading import Event, Thread
from time import clock_gettime, pthread_getcpuclockid, thread_time

import numpy as np
import torch
from PIL import Image, features

from app.data import MVTec
from app.decoding import png
from app.decoding.formats import FORMATS, identify
from app.decoding.pixels import to_array
from benchmarks.command_line import with_root
from benchmarks.decoders import JPEG, PACKAGES, PNG, Decoder, check
from benchmarks.hardware import write
from scripts.demo.surface import normal_surface

SIZES = 1024, 4096
ROUNDS = {1024: 15, 4096: 7}
ENCODINGS: dict[str, dict[str, object]] = {
    "png-1": {"format": "PNG", "compress_level": 1},
    "png-6": {"format": "PNG", "compress_level": 6},
    "png-9": {"format": "PNG", "compress_level": 9},
    "jpeg-420": {"format": "JPEG", "quality": 90, "subsampling": "4:2:0"},
    "jpeg-444": {"format": "JPEG", "quality": 90, "subsampling": "4:4:4"},
    "jpeg-420-progressive": {"format": "JPEG", "quality": 90, "subsampling": "4:2:0", "progressive": True},
}
AT_4096 = "png-6", "jpeg-420", "jpeg-420-progressive"
BESIDE_A_THREAD = "png-6", "jpeg-420"
CALLS_BESIDE = 10
SWITCH_S = 1e-5  # the wait of a thread before it requests the GIL; Python's 5 ms would hide short decodes


@dataclass(frozen=True, slots=True)
class File:
    """An encoded square picture. `size` is its edge in pixels."""

    name: str
    encoding: str
    size: int
    grey: bool
    data: bytes


def main() -> None:
    given = with_root(__doc__).parse_args()
    torch.set_num_threads(1)
    sys.setswitchinterval(SWITCH_S)
    packages = {name: _version(name) for name in PACKAGES}
    libraries = {name: features.version(name) for name in ("libjpeg_turbo", "zlib_ng")}
    files = {file.name: _measure(file) for file in _files(given.root)}
    write("decoding", {"packages": packages, "pillow_libraries": libraries, "rounds": ROUNDS, "files": files})


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _files(root: Path) -> Iterator[File]:
    path = next(picture.path for picture in MVTec(str(root), "surface").test_pictures() if picture.anomalous)
    for size in SIZES:
        real = Image.open(path).convert("RGB").resize((size, size), Image.Resampling.BILINEAR)
        drawn = Image.fromarray(normal_surface(np.random.default_rng(0), (size, size)))
        for (source, image), mode in product({"kolektorsdd": real, "drawn": drawn}.items(), ("RGB", "L")):
            for encoding, options in ENCODINGS.items():
                if (size == 1024 or encoding in AT_4096) and (mode == "RGB" or encoding != "jpeg-444"):
                    name = f"{source}-{size}-{'grey' if mode == 'L' else 'rgb'}-{encoding}"
                    yield File(name, encoding, size, mode == "L", _encoded(image.convert(mode), options))


def _encoded(image: Image.Image, options: dict[str, object]) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, **options)  # type: ignore[arg-type]  # the options of a format, and its name
    return buffer.getvalue()


def _measure(file: File) -> dict[str, object]:
    decoders = dict(_installed(file))
    difference = _differences(file, decoders)
    calls: dict[str, Callable[[], object]] = {name: partial(each, file.data) for name, each in decoders.items()}
    seconds = _timed({**calls, **_parts(file)}, ROUNDS[file.size])
    whole = {name: seconds[name] for name in decoders}
    result: dict[str, object] = {
        "bytes": len(file.data),
        "seconds": whole,
        "times_as_fast": {name: round(whole["tessera"] / each, 2) for name, each in whole.items()},
        "parts_s": {name: each for name, each in seconds.items() if name not in decoders},
        "largest_difference": difference,
    }
    if file.size == 1024 and file.encoding in BESIDE_A_THREAD:
        result["beside"] = {name: median(_beside(call) for _ in range(5)) for name, call in calls.items()}
    print(file.name, result, flush=True)
    return result


def _installed(file: File) -> Iterator[tuple[str, Decoder]]:
    for name, make in (PNG if file.encoding.startswith("png") else JPEG).items():
        try:
            yield name, make(file.grey)
        except ImportError:
            print(f"{name} is not installed")


def _differences(file: File, decoders: dict[str, Decoder]) -> dict[str, int]:
    """For each decoder the largest difference of a pixel value from that of `decode`; asserts that it is 0 for PNG."""
    expected = decoders["tessera"](file.data)
    largest = {}
    for name, decoder in decoders.items():
        pixels = decoder(file.data)
        assert pixels.is_contiguous() and pixels.shape == expected.shape and pixels.dtype == torch.uint8, name
        largest[name] = int((pixels.short() - expected.short()).abs().max())
        assert largest[name] == 0 or file.encoding.startswith("jpeg"), name
    return largest


def _parts(file: File) -> dict[str, Callable[[], object]]:
    data, opened = file.data, FORMATS[identify(file.data)]

    def load() -> Image.Image:
        image = opened(io.BytesIO(data))
        image.load()
        return image

    parts: dict[str, Callable[[], object]] = {
        "checks": partial(check, data),
        "pillow": load,
        "planes": partial(to_array, load(), 1),
    }
    return parts | _inflating(file) if file.encoding.startswith("png") else parts


def _inflating(file: File) -> dict[str, Callable[[], object]]:
    pixels = b"".join(file.data[start:end] for kind, start, end in png.chunks(file.data) if kind == b"IDAT")
    length = file.size * (1 + file.size * (1 if file.grey else 3))
    parts: dict[str, Callable[[], object]] = {}
    if find_spec("zlib_ng"):
        from zlib_ng import zlib_ng

        parts["inflate_zlib_ng"] = partial(zlib_ng.decompress, pixels, bufsize=length)
    if find_spec("isal"):
        from isal import isal_zlib

        parts["inflate_isal"] = partial(isal_zlib.decompress, pixels, bufsize=length)
    if find_spec("deflate"):
        import deflate

        parts["inflate_libdeflate"] = partial(deflate.zlib_decompress, pixels, length)
    return parts


def _timed(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            started = thread_time()
            call()
            times[name].append(thread_time() - started)
    return {name: round(median(each), 5) for name, each in times.items()}


def _beside(call: Callable[[], object]) -> float:
    """The processor time that a thread of Python code gets during calls, divided by the processor time of the calls."""
    ended = Event()

    def spin() -> None:
        while not ended.is_set():
            pass

    thread = Thread(target=spin)
    thread.start()
    assert thread.ident is not None
    clock = pthread_getcpuclockid(thread.ident)
    started, spun = thread_time(), clock_gettime(clock)
    for _ in range(CALLS_BESIDE):
        call()
    share = (clock_gettime(clock) - spun) / (thread_time() - started)
    ended.set()
    thread.join()
    return round(share, 2)


if __name__ == "__main__":
    main()
