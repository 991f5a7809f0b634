"""The scans of a JPEG, and the checks of their number and completeness."""

from dataclasses import dataclass, field

import numpy as np

from app.decoding.jpeg.frame import Frame
from app.decoding.jpeg.markers import RST0, Positions
from app.errors import DamagedImage, UnsupportedImage

# The decoder processes the whole picture once for each scan, and a scan can be a few bytes long: a small file could
# keep a core busy for minutes. Encoders write about 10 scans of a progressive picture. For pictures of more than 20
# megapixels the limit falls until it is 32, so that decoding takes about as long as that of 100 scans of 20 megapixels.
_MOST_SCANS, _FEWEST_SCANS = 100, 32
_SCANNED_PIXELS = 1 << 31

_NEVER = 255  # the precision of a coefficient that no scan has sent
_COEFFICIENTS = 64


@dataclass(frozen=True, slots=True)
class Scan:
    """A scan.

    head: the segments before its data that the decoder needs, with the header of the scan as the last one
    start, end: the position of its data in the file
    restarts: the positions of the restart markers in its data
    """

    head: bytes
    start: int
    end: int
    restarts: Positions


@dataclass(slots=True)
class Progress:
    """Counts what the scans of one frame have sent."""

    frame: Frame
    scans: int = 0
    components: int = 0
    precision: dict[int, bytearray] = field(default_factory=dict)

    def add(self, components: list[int], header: bytes) -> None:
        """Adds a scan, by its components and its header. Raises `UnsupportedImage` if there are too many scans."""
        self.scans += 1
        self.components += len(components)
        if not self.frame.is_progressive:
            number = len(self.frame.factors)
            if self.components > number:
                raise UnsupportedImage(
                    f"The JPEG is not progressive and has more than {number} components in its scans, the limit is "
                    "each component once; save the picture again as baseline JPEG"
                )
            return
        pixels = self.frame.height * self.frame.width
        limit = max(_FEWEST_SCANS, min(_MOST_SCANS, _SCANNED_PIXELS // pixels))
        if self.scans > limit:
            raise UnsupportedImage(
                f"The progressive JPEG has more than {limit} scans, the limit for its {pixels:,} pixels; "
                "save it as baseline JPEG"
            )
        first, last, precision = header[-3] & 63, header[-2] & 63, header[-1] & 15
        for component in components:
            sent = self.precision.setdefault(component, bytearray([_NEVER]) * _COEFFICIENTS)
            sent[first : last + 1] = bytes([precision]) * (last + 1 - first)

    def check_complete(self, end: int) -> None:
        """Raises `DamagedImage` if the scans up to the end marker, at byte `end`, do not make a whole picture."""
        if self.frame.is_progressive:
            whole = all(not any(self.precision.get(each, b"\1")) for each in self.frame.factors)
        else:
            whole = self.components >= len(self.frame.factors)
        if not whole:
            raise DamagedImage(
                f"The JPEG is truncated: it ends at byte {end:,} after {self.scans} scans, before its last scan; "
                "send the whole file"
            )


def check_restarts(data: bytes, restarts: Positions, units: int, interval: int, end: int) -> None:
    """Raises `DamagedImage` unless a scan has the restart markers that its number of units and its interval need."""
    expected = (units - 1) // interval if interval else 0
    numbers = np.frombuffer(data, np.uint8)[restarts + 1] - RST0
    if len(numbers) != expected or (numbers != np.arange(expected) % 8).any():
        raise DamagedImage(
            f"The JPEG is truncated or corrupt: its scan that ends at byte {end:,} has {len(numbers):,} restart "
            f"markers instead of {expected:,}, or has them in a wrong order; send the whole file"
        )
