"""Pictures are read in processes that cannot harm the server, and end with it."""

import asyncio
import io
import os
import signal
import struct
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

import numpy as np
import psutil
import pytest
from PIL import Image

from app.decoders import limits
from app.decoders.decoders import Decoders
from app.decoders.pool import Replaced
from app.decoders.shared_memory import file_of
from app.decoding import decode, read_header
from app.errors import DecodingLimit, EngineStopped, InsufficientMemory, InvalidImage, TesseraError

MAX_PIXELS = 1 << 24


@dataclass
class Readers:
    """Decoders, the children that this process had before, and the reasons of replacements."""

    decoders: Decoders
    before: set[int]
    replaced: Counter[Replaced] = field(default_factory=Counter)

    async def size(self, data: bytes) -> tuple[int, int]:
        async with file_of(data) as descriptor:
            return (await self.decoders.read_size(descriptor, len(data)))[0]

    async def pixels(self, data: bytes) -> np.ndarray:
        header = read_header(data, max_pixels=MAX_PIXELS)
        async with file_of(data) as descriptor:
            return (await self.decoders.read_pixels(descriptor, len(data), (header.height, header.width)))[0]

    def processes(self) -> list[psutil.Process]:
        """The decoder processes, the newest last."""
        new = (each for each in psutil.Process().children() if each.pid not in self.before)
        return [decoder for server in new for decoder in server.children()]

    def freeze(self) -> psutil.Process:
        """Stops the only decoder process, so that the next picture hangs."""
        (process,) = self.processes()
        process.suspend()
        return process


@asynccontextmanager
async def reading(processes: int = 1) -> AsyncIterator[Readers]:
    before = {each.pid for each in psutil.Process().children()}
    replaced: Counter[Replaced] = Counter()
    decoders = Decoders(processes, MAX_PIXELS, False, lambda reason: replaced.update([reason]))
    decoders.start()
    try:
        yield Readers(decoders, before, replaced)
    finally:
        await decoders.close()


def encoded(size: tuple[int, int], mode: str = "RGB", format: str = "PNG", **options: object) -> bytes:
    file = io.BytesIO()
    values = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    image = Image.fromarray(values[..., 0].astype(np.uint16) * 257) if mode == "I;16" else Image.fromarray(values)
    (image if mode == "I;16" else image.convert(mode)).save(file, format, **options)
    return file.getvalue()


GOOD = encoded((30, 40))


def test_pixels_are_those_of_decode_and_pass_through_shared_memory() -> None:
    files = [
        GOOD,
        encoded((700, 800)),
        encoded((700, 800), format="JPEG"),
        encoded((700, 800), "RGBA", "WebP", lossless=True),
        encoded((1000, 600), "I;16"),
        encoded((300, 200), "CMYK", "TIFF", compression="tiff_lzw"),
        encoded((300, 200), format="AVIF"),
        encoded((300, 200), format="BMP"),
    ]

    async def check() -> None:
        async with reading() as readers:
            for data in files:
                expected = decode(data, max_pixels=MAX_PIXELS).numpy()
                assert await readers.size(data) == expected.shape[1:]
                found = await readers.pixels(data)
                assert found.dtype == expected.dtype and np.array_equal(found, expected)
        assert not readers.replaced

    asyncio.run(check())


@pytest.mark.parametrize("data", [b"%PDF", GOOD[:-20], encoded((4097, 4097), "1")], ids=["kind", "damage", "pixels"])
def test_refusals_are_those_of_the_decoder(data: bytes) -> None:
    async def check() -> None:
        async with reading() as readers:
            with pytest.raises(TesseraError) as found:
                await readers.size(data)
                await readers.pixels(data)
            with pytest.raises(TesseraError) as expected:
                decode(data, max_pixels=MAX_PIXELS)
            assert (type(found.value), str(found.value)) == (type(expected.value), str(expected.value))
            assert np.array_equal(await readers.pixels(GOOD), decode(GOOD, max_pixels=MAX_PIXELS).numpy())

    asyncio.run(check())


def run_without_leaks(check: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Runs a check, and asserts that no descriptor and no process is left."""

    def resources() -> tuple[int, list[int]]:
        return psutil.Process().num_fds(), sorted(each.pid for each in psutil.Process().children(recursive=True))

    before = resources()
    asyncio.run(check())
    assert resources() == before


@pytest.mark.parametrize(
    ("number", "error", "reason"),
    [
        (signal.SIGSEGV, InvalidImage, Replaced.crash),
        (signal.SIGXCPU, DecodingLimit, Replaced.processor_time),
        (signal.SIGKILL, InsufficientMemory, Replaced.killed),
    ],
)
def test_a_decoder_that_dies_refuses_one_picture(
    number: signal.Signals, error: type[TesseraError], reason: Replaced
) -> None:
    async def check() -> None:
        async with reading() as readers:
            await readers.pixels(GOOD)
            process = readers.freeze()
            hanging = asyncio.ensure_future(readers.pixels(GOOD))
            await asyncio.sleep(0.01)
            process.send_signal(number)
            process.resume()
            with pytest.raises(error) as refused:
                await hanging
            assert type(refused.value) is error
            await readers.pixels(GOOD)
            assert readers.replaced == {reason: 1}

    run_without_leaks(check)


def test_a_decoder_that_hangs_is_killed_at_the_deadline_and_headers_are_still_read() -> None:
    async def check() -> None:
        async with reading() as readers:
            await readers.pixels(GOOD)
            process = readers.freeze()
            hanging = asyncio.ensure_future(asyncio.wait_for(readers.pixels(GOOD), 0.5))
            await asyncio.sleep(0.05)  # until it has the only decoder
            waiting = asyncio.ensure_future(readers.pixels(GOOD))
            await readers.size(GOOD)
            started = monotonic()
            assert await readers.size(GOOD) == (30, 40)
            assert monotonic() - started < 0.4  # the hanging picture has 0.5 s
            with pytest.raises(TimeoutError):
                await hanging
            assert (await waiting).shape == (3, 30, 40)
            assert not process.is_running()
            assert readers.replaced == {Replaced.given_up: 1}

    run_without_leaks(check)


def test_hanging_decoders_are_killed_when_the_server_ends() -> None:
    async def check() -> None:
        async with reading() as readers:
            await readers.pixels(GOOD)
            readers.freeze()
            hanging = [asyncio.ensure_future(readers.pixels(GOOD)) for _ in range(3)]
            await asyncio.sleep(0.01)
            started = monotonic()
            await readers.decoders.close()
            assert monotonic() - started < 5
            assert [type(each) for each in await asyncio.gather(*hanging, return_exceptions=True)] == [
                EngineStopped
            ] * 3
            with pytest.raises(EngineStopped):
                await readers.size(GOOD)
            assert not readers.replaced

    run_without_leaks(check)


def run_length_bmp(height: int, width: int) -> bytes:
    """A black BMP in runs of one pixel each, which Pillow unpacks in Python."""
    row = b"\1\0" * width + b"\0\0"
    data = row * height + b"\0\1"
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    start = 14 + len(header) + 1024
    return struct.pack("<2sIHHI", b"BM", start + len(data), 0, 0, start) + header + bytes(1024) + data


@pytest.mark.parametrize(
    ("changed", "data", "reason"),
    [
        ({"_BASE_S": 0, "_S_PER_PIXEL": 0, "_S_PER_FILE_BYTE": 0}, run_length_bmp(4000, 3000), Replaced.processor_time),
        ({"_BASE_BYTES": -(2**25), "_BYTES_PER_PIXEL": 0}, encoded((4000, 4000), "1"), Replaced.memory),
    ],
    ids=["processor_time", "memory"],
)
def test_a_picture_over_a_limit_is_refused_by_its_name(
    changed: dict[str, int], data: bytes, reason: Replaced, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def check() -> None:
        async with reading() as readers:
            with monkeypatch.context() as patched:
                for name, value in changed.items():
                    patched.setattr(limits, name, value)
                with pytest.raises(DecodingLimit, match=reason.value.replace("_", " ")):
                    await readers.pixels(data)
            await readers.pixels(GOOD)
            assert readers.replaced == {reason: 1}

    run_without_leaks(check)


def test_a_decoder_is_small_and_has_no_core_dump() -> None:
    async def check() -> None:
        async with reading() as readers:
            await readers.pixels(GOOD)
            (process,) = readers.processes()
            assert not any("/torch/" in each.path or "/scipy/" in each.path for each in process.memory_maps())
            assert process.memory_full_info().uss < 16 * 2**20
            assert process.rlimit(psutil.RLIMIT_CORE) == (0, 0)
            assert process.rlimit(psutil.RLIMIT_CPU)[0] < 10

    asyncio.run(check())


def test_the_fork_server_is_started_again_after_its_death() -> None:
    async def check() -> None:
        async with reading() as readers:
            await readers.pixels(GOOD)
            (process,) = readers.processes()
            os.kill(process.ppid(), signal.SIGKILL)
            process.wait(5)
            await asyncio.sleep(0.05)
            await readers.pixels(GOOD)

    run_without_leaks(check)


def test_decoders_die_with_a_killed_server() -> None:
    program = """
import asyncio, sys, psutil
from app.decoders.decoders import Decoders
async def main():
    decoders = Decoders(1, 1 << 24, False, print)
    with open(sys.argv[1], "rb") as file:
        await decoders.read_size(file.fileno(), len(file.read()))
    processes = psutil.Process().children(recursive=True)
    processes[-1].suspend()
    print(*(each.pid for each in processes), flush=True)
    await asyncio.sleep(60)
asyncio.run(main())
"""
    picture = os.memfd_create("picture")
    try:
        os.write(picture, GOOD)
        command = [sys.executable, "-c", program, f"/proc/{os.getpid()}/fd/{picture}"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            processes = [psutil.Process(int(number)) for number in server.stdout.readline().split()]
            server.kill()
        assert len(processes) == 2
        _, alive = psutil.wait_procs(processes, 5)
        assert all(each.status() == psutil.STATUS_ZOMBIE for each in alive)  # where nobody reaps orphans
    finally:
        os.close(picture)


def test_a_decoder_whose_picture_was_given_up_ends_without_a_word() -> None:
    """Pictures are given up at any time, so that the server may be gone when the answer is ready."""
    program = """
import os, socket
from app.decoders.fork_server import _fork
server, own = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
server.shutdown(socket.SHUT_RD)
number = _fork(socket.socketpair()[0], own)
print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]))
"""
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == ("1\n", "")
