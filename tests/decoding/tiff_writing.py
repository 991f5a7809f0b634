"""Writes TIFF with any tags, because no library writes all of them."""

import struct
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import imagecodecs
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.generic]

CODECS: dict[int, Callable[[bytes], bytes | bytearray]] = {
    1: bytes,
    5: imagecodecs.lzw_encode,
    8: imagecodecs.zlib_encode,
    32773: imagecodecs.packbits_encode,
    32946: imagecodecs.zlib_encode,
    34925: imagecodecs.lzma_encode,
    50000: imagecodecs.zstd_encode,
}
_FORMATS = {1: "B", 3: "H", 4: "I", 16: "Q"}
_REVERSE = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


@dataclass(frozen=True)
class TiffLayout:
    """How `write_tiff` stores samples. `tags` replace those that follow from the other fields; None leaves one out."""

    bits: int = 8
    photometric: int = 1
    order: str = "<"
    big: bool = False
    tile: tuple[int, int] | None = None
    rows_per_strip: int = 16
    planar: bool = False
    compression: int = 1
    predictor: int = 1
    reversed: bool = False
    format: int = 1
    tags: dict[int, Sequence[int] | None] = field(default_factory=dict)


def write_tiff(samples: Samples, layout: TiffLayout) -> bytes:
    """A TIFF of one page; samples [H,W,S], integers below 2^bits or floats."""
    height, width, count = samples.shape
    segments = [_encoded(part, layout) for part in _cut(samples, layout)]
    rows, columns = layout.tile or (layout.rows_per_strip, width)
    tags: dict[int, Sequence[int] | None] = {
        256: [width],
        257: [height],
        258: [layout.bits] * count,
        259: [layout.compression],
        262: [layout.photometric],
        266: [2] if layout.reversed else None,
        273: None,
        277: [count],
        284: [2 if layout.planar else 1],
        317: [layout.predictor] if layout.predictor > 1 else None,
        339: [layout.format] * count,
    }
    places = {322: [columns], 323: [rows]} if layout.tile else {278: [rows]}
    offsets, counts = (324, 325) if layout.tile else (273, 279)
    sizes: dict[int, Sequence[int] | None] = {offsets: [0] * len(segments), counts: [len(each) for each in segments]}
    return file_of({**tags, **places, **sizes, **layout.tags}, segments, offsets, layout.order, big=layout.big)


def file_of(
    tags: dict[int, Sequence[int] | None], segments: list[bytes], offsets: int, order: str = "<", *, big: bool = False
) -> bytes:
    """A file of one directory, and then the segments, whose positions become the tag `offsets`."""
    kept = {tag: list(values) for tag, values in sorted(tags.items()) if values is not None}
    head, inline, entry = (16, 8, 20) if big else (8, 4, 12)
    start = head + (8 if big else 2) + entry * len(kept) + inline
    kinds = {
        tag: 1 if tag == 700 else 4 if max(values, default=0) > 65535 or tag == offsets else 3
        for tag, values in kept.items()
    }
    sizes = {tag: len(values) * struct.calcsize(_FORMATS[kinds[tag]]) for tag, values in kept.items()}
    position = start + sum(size for size in sizes.values() if size > inline)
    if offsets in kept and not any(kept[offsets]):
        kept[offsets] = [position + sum(map(len, segments[:index])) for index in range(len(segments))]
    body, outside = b"", b""
    for tag, values in kept.items():
        raw = struct.pack(f"{order}{len(values)}{_FORMATS[kinds[tag]]}", *values)
        value = raw.ljust(inline, b"\0")
        if len(raw) > inline:
            value = struct.pack(order + ("Q" if big else "I"), start + len(outside))
            outside += raw
        body += struct.pack(order + ("HHQ" if big else "HHI"), tag, kinds[tag], len(values)) + value
    mark = b"II" if order == "<" else b"MM"
    if big:
        header = mark + struct.pack(order + "HHHQQ", 43, 8, 0, 16, len(kept))
    else:
        header = mark + struct.pack(order + "HIH", 42, 8, len(kept))
    return header + body + bytes(inline) + outside + b"".join(segments)


def _cut(samples: Samples, layout: TiffLayout) -> Iterator[Samples]:
    planes = np.split(samples, samples.shape[2], axis=2) if layout.planar else [samples]
    height, width = samples.shape[:2]
    for plane in planes:
        if layout.tile is None:
            yield from (plane[top : top + layout.rows_per_strip] for top in range(0, height, layout.rows_per_strip))
            continue
        rows, columns = layout.tile
        padded = np.pad(plane, ((0, -height % rows), (0, -width % columns), (0, 0)), "edge")
        for top in range(0, height, rows):
            yield from (padded[top : top + rows, left : left + columns] for left in range(0, width, columns))


def _encoded(part: Samples, layout: TiffLayout) -> bytes:
    rows, columns, count = part.shape
    if layout.predictor == 2:
        part = np.diff(part, axis=1, prepend=np.zeros_like(part[:, :1]))
    if layout.predictor == 3:
        raw = _float_differences(part)
    elif layout.bits in (8, 16, 32, 64):
        raw = part.astype(f"{layout.order}{part.dtype.kind}{layout.bits // 8}").tobytes()
    elif layout.bits == 24:
        whole = part.astype(layout.order + "u4").tobytes()
        quads = np.frombuffer(whole, np.uint8).reshape(-1, 4)
        raw = (quads[:, :3] if layout.order == "<" else quads[:, 1:]).tobytes()
    else:
        bits = part.reshape(rows, columns * count, 1).astype(np.uint32) >> np.arange(layout.bits)[::-1].astype(
            np.uint32
        )
        raw = np.packbits((bits & 1).astype(np.uint8).reshape(rows, -1), axis=1).tobytes()
    encoded = bytes(CODECS[layout.compression](raw))
    return encoded.translate(_REVERSE) if layout.reversed else encoded


def _float_differences(part: Samples) -> bytes:
    rows, columns, count = part.shape
    size = part.dtype.itemsize
    highest_first = part.astype(f">f{size}").reshape(rows, columns * count, 1).view(np.uint8)
    planes = highest_first.swapaxes(1, 2).reshape(rows, columns * size, count)
    return np.diff(planes, axis=1, prepend=np.zeros_like(planes[:, :1])).tobytes()
