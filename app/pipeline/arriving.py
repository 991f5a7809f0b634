"""A source of rows that arrive while earlier ones are computed."""

from collections import deque
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from app.tiling import Size

Samples = NDArray[np.uint8] | NDArray[np.uint16]


class ArrivingRows:
    """Rows that one thread adds and another one reads, see RowSource. Its size has no height: it is 0.

    arrived: the number of rows that were added
    """

    def __init__(self, width: int, white: float) -> None:
        self.size: Size = (0, width)
        self.white = white
        self.arrived = 0
        self._read = 0
        self._pieces: deque[Samples] = deque()  # [n,W,C] each
        self._lock = Lock()

    @property
    def waiting(self) -> int:
        """The number of rows that were added and not read yet."""
        return self.arrived - self._read

    def add(self, rows: Samples) -> None:
        """Adds the next rows, [n,W,C] uint8 or uint16 with C = 1 or 3."""
        with self._lock:
            self._pieces.append(rows)
            self.arrived += len(rows)

    def read(self, count: int) -> Tensor:
        """The next `count` rows, [C,count,W]; no more than `waiting`."""
        taken: list[Samples] = []
        with self._lock:
            missing = count
            while missing:
                piece = self._pieces.popleft()
                taken.append(piece[:missing])
                if len(piece) > missing:
                    self._pieces.appendleft(piece[missing:])
                missing -= len(taken[-1])
            self._read += count
        whole = np.concatenate(taken)  # a copy: arrays over received bytes cannot be written to
        return torch.from_numpy(np.ascontiguousarray(whole.transpose(2, 0, 1)))

    def restart(self) -> None:
        """Not possible: the rows are gone. No model that needs it takes a stream of rows."""
        raise NotImplementedError
