"""Finds the markers of a JPEG: FF and a byte other than 00 and FF (ITU-T T.81, B.1.1.2)."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from app.errors import UnsupportedImage

Positions = npt.NDArray[np.int64]

SOF0, SOF2, SOF3, DHT, SOF9, DAC, RST0, RST7 = 0xC0, 0xC2, 0xC3, 0xC4, 0xC9, 0xCC, 0xD0, 0xD7
SOI, EOI, SOS, DQT, DRI, APP0, APP1, APP14 = 0xD8, 0xD9, 0xDA, 0xDB, 0xDD, 0xE0, 0xE1, 0xEE
TEM = 0x01
FRAMES = frozenset(range(0xC0, 0xD0)) - {DHT, 0xC8, DAC}
ALONE = frozenset({TEM, SOI, EOI, *range(RST0, RST7 + 1)})
"""The markers without a segment behind them."""

_MAX_RESTARTS = 1 << 19  # of one scan; one for each unit of 16 x 16 pixels in 134 megapixels
_FIRST_BYTES = 1 << 8  # most searches end soon
_MOST_BYTES = 1 << 18  # of one step of a search: it stays in the cache, and takes 2 MB if all its bytes are FF


class Found(NamedTuple):
    """The result of a search.

    position: of the FF of the next marker that is no restart marker; the end of the data if there is none
    restarts: the positions of the restart markers before it
    """

    position: int
    restarts: Positions


def next_marker(data: bytes, start: int) -> Found:
    """Searches from `start` on; takes 0.5 ms per MB, and 2 ms if all bytes are FF.

    Raises `UnsupportedImage` for more restart markers than a picture needs.
    """
    restarts: list[Positions] = []
    number = 0
    size = _FIRST_BYTES
    while start < len(data) - 1:
        block = np.frombuffer(data, np.uint8, min(size, len(data) - start), start)
        at = np.flatnonzero(block[:-1] == 0xFF)
        codes = block[at + 1]
        at, codes = at[(codes != 0) & (codes != 0xFF)], codes[(codes != 0) & (codes != 0xFF)]
        is_restart = (codes >= RST0) & (codes <= RST7)
        ends = np.flatnonzero(~is_restart)
        if ends.size:
            restarts.append(at[: ends[0]] + start)
            return Found(start + int(at[ends[0]]), np.concatenate(restarts))
        if at.size:
            restarts.append(at + start)
        number += at.size
        if number > _MAX_RESTARTS:
            raise UnsupportedImage(
                f"The JPEG has a scan of more than {_MAX_RESTARTS:,} restart markers, the limit; "
                "save it again without restart markers"
            )
        start += len(block) - 1  # the last byte can be the FF of a marker
        size = min(8 * size, _MOST_BYTES)
    return Found(len(data), np.concatenate(restarts) if restarts else np.empty(0, np.int64))
