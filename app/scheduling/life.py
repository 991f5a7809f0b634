"""The life of what owns the devices."""

from enum import Enum, auto


class Life(Enum):
    """From `new` on to the end, in this order; states may be left out."""

    new = auto()
    running = auto()
    draining = auto()  # takes nothing new
    stopping = auto()  # starts nothing
    aborting = auto()  # nor continues
