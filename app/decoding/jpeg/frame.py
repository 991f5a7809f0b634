"""The frame of a JPEG: its size and its components (ITU-T T.81, B.2.2)."""

import struct
from dataclasses import dataclass

from app.decoding.jpeg.markers import SOF2, SOF3, SOF9
from app.errors import DamagedImage

_MAX_COMPONENTS = 4


@dataclass(frozen=True, slots=True)
class Frame:
    """The frame of a JPEG.

    marker: of its segment, which names the process
    height, width: in pixels
    factors: the vertical and horizontal sampling factor of each component, by the component's number
    """

    marker: int
    height: int
    width: int
    factors: dict[int, tuple[int, int]]

    @property
    def is_progressive(self) -> bool:
        return self.marker in (SOF2, 0xC6, 0xCA, 0xCE)

    @property
    def is_arithmetic(self) -> bool:
        return self.marker >= SOF9

    def units(self, components: list[int]) -> int:
        """The number of units (MCUs) in a scan of these components (A.2)."""
        edge = 1 if self.marker == SOF3 else 8
        most_down = max(down for down, _ in self.factors.values())
        most_across = max(across for _, across in self.factors.values())
        if len(components) > 1:
            return -(-self.height // (edge * most_down)) * -(-self.width // (edge * most_across))
        down, across = self.factors[components[0]]
        return -(-self.height * down // (edge * most_down)) * -(-self.width * across // (edge * most_across))


def read_frame(marker: int, content: bytes) -> Frame:
    """Raises `DamagedImage` for a frame without pixels, or with an impossible number of components."""
    try:
        _, height, width, count = struct.unpack_from(">BHHB", content)
        parts = [struct.unpack_from("BB", content, 6 + 3 * index) for index in range(count)]
    except struct.error as error:
        raise DamagedImage("The JPEG is truncated or corrupt: its frame is incomplete; send the whole file") from error
    factors = {number: (sampling & 15, sampling >> 4) for number, sampling in parts}
    if not (height and width and 1 <= count <= _MAX_COMPONENTS and all(min(each) for each in factors.values())):
        raise DamagedImage(
            f"The JPEG is corrupt: its frame has {width} x {height} pixels and {count} components; save it anew"
        )
    return Frame(marker, height, width, factors)
