"""What a client asks of a stream of rows."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from app.pipeline import Criteria
from app.pipeline.arriving import Samples


class SampleType(StrEnum):
    """The type of the samples of a row; uint16 is little endian, and 65535 is white. New values may be added."""

    uint8 = "uint8"
    uint16 = "uint16"


@dataclass(frozen=True, slots=True)
class RowFormat:
    """The form of a stream's rows: `width` pixels, each with `channels` samples (1: grey, 3: RGB)."""

    width: int
    channels: int
    dtype: SampleType

    @property
    def row_bytes(self) -> int:
        """The number of bytes of a row."""
        return self.width * self.channels * np.dtype(self.dtype.value).itemsize

    @property
    def white(self) -> float:
        """The value of white."""
        return float(np.iinfo(self.dtype.value).max)

    def samples(self, rows: bytes) -> Samples:
        """The samples of whole rows, [n,W,C]."""
        stored = np.frombuffer(rows, np.dtype(self.dtype.value).newbyteorder("<"))
        found: Samples = stored.astype(self.dtype.value, copy=False).reshape(-1, self.width, self.channels)
        return found


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """The options of a stream, which are the same for all of its connections.

    form: the form of its rows
    criteria: what counts as anomalous
    longest_region: a region with so many rows that has not ended is cut, and reported in parts
    """

    form: RowFormat
    criteria: Criteria
    longest_region: int
