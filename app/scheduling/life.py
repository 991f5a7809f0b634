"""The life cycle of the device worker."""

from enum import Enum, auto


class Life(Enum):
    """The states, in their order; some may be skipped."""

    new = auto()
    running = auto()
    draining = auto()  # admits nothing; runs what was admitted
    stopping = auto()  # finishes pictures in flight, and starts no other
    aborting = auto()  # stops after the current unit
