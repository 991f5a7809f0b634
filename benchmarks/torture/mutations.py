"""Damages files at random: cut, flipped, spliced, with wrong lengths. The same seed makes the same files."""

from collections.abc import Callable, Sequence
from random import Random

_LENGTHS = (0, 1, 2, 3, 4, 127, 255, 256, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
_HEAD_BYTES = 200
"""Most fields that give sizes lie in this many first bytes."""

Mutation = Callable[[Random, bytes, bytes], bytes]


def _cut(rng: Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def _begin_later(rng: Random, data: bytes, other: bytes) -> bytes:
    return data[rng.randrange(1, len(data)) :]


def _flip_bits(rng: Random, data: bytes, other: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 4, 30, 300))):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def _flip_head(rng: Random, data: bytes, other: bytes) -> bytes:
    return _flip_bits(rng, data[:_HEAD_BYTES], other) + data[_HEAD_BYTES:]


def _wrong_length(rng: Random, data: bytes, other: bytes) -> bytes:
    changed, size = bytearray(data), rng.choice((1, 2, 4))
    for _ in range(rng.choice((1, 1, 3))):
        place = rng.randrange(min(len(data), rng.choice((_HEAD_BYTES, len(data)))))
        number = rng.choice(_LENGTHS) % (1 << 8 * size)
        changed[place : place + size] = number.to_bytes(size, rng.choice(("big", "little")))
    return bytes(changed)


def _remove(rng: Random, data: bytes, other: bytes) -> bytes:
    start, end = _part(rng, data)
    return data[:start] + data[end:]


def _repeat(rng: Random, data: bytes, other: bytes) -> bytes:
    start, end = _part(rng, data)
    return data[:end] + data[start:end] * rng.choice((1, 2, 50)) + data[end:]


def _swap(rng: Random, data: bytes, other: bytes) -> bytes:
    first, second, third = sorted(rng.randrange(len(data) + 1) for _ in range(3))
    return data[:first] + data[second:third] + data[first:second] + data[third:]


def _splice(rng: Random, data: bytes, other: bytes) -> bytes:
    start, end = _part(rng, other)
    place = rng.randrange(len(data))
    return data[:place] + other[start:end] + data[place + rng.choice((0, end - start)) :]


def _graft(rng: Random, data: bytes, other: bytes) -> bytes:
    return data[: rng.randrange(len(data))] + other[rng.randrange(len(other)) :]


def _blank(rng: Random, data: bytes, other: bytes) -> bytes:
    start, end = _part(rng, data)
    return data[:start] + bytes((rng.choice((0, 255)),)) * (end - start) + data[end:]


def _append(rng: Random, data: bytes, other: bytes) -> bytes:
    return data + rng.choice((other, data, rng.randbytes(1000), bytes(100_000)))


MUTATIONS: dict[str, Mutation] = {
    "cut": _cut,
    "begin later": _begin_later,
    "flip bits": _flip_bits,
    "flip bits of the head": _flip_head,
    "wrong lengths": _wrong_length,
    "remove a part": _remove,
    "repeat a part": _repeat,
    "swap parts": _swap,
    "splice another file in": _splice,
    "graft another file": _graft,
    "blank a part": _blank,
    "append": _append,
}


def damaged(rng: Random, files: Sequence[bytes]) -> tuple[int, str, bytes]:
    """The number of a file, what was done to it, and the damaged file."""
    number, kind = rng.randrange(len(files)), rng.choice(list(MUTATIONS))
    changed = MUTATIONS[kind](rng, files[number], rng.choice(files))
    if rng.random() < 0.2:  # twice
        changed = MUTATIONS[rng.choice(list(MUTATIONS))](rng, changed or b"\0", rng.choice(files))
    return number, kind, changed


def _part(rng: Random, data: bytes) -> tuple[int, int]:
    start = rng.randrange(len(data))
    return start, min(len(data), start + rng.choice((1, 2, 4, 16, 64, 512)))
