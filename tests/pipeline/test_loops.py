from threading import Event, get_ident

import pytest
import torch
from torch import Tensor

from app.detectors import Features
from app.pipeline import Loops
from app.runtime import Kernels, Precision


class Meeting:
    """A network whose calls wait until `expected` calls run at once."""

    kernels: Kernels = Kernels.modules
    precision: Precision = Precision.float32

    def __init__(self, expected: int) -> None:
        self.shapes: list[torch.Size] = []
        self.threads: dict[int, int] = {}
        self._expected, self._all_are_here = expected, Event()

    def __call__(self, tiles: Tensor) -> Features:
        self.shapes.append(tiles.shape)
        self.threads[get_ident()] = torch.get_num_threads()
        if len(self.shapes) == self._expected:
            self._all_are_here.set()
        assert self._all_are_here.wait(30)
        return (tiles,)


@pytest.mark.parametrize(("count", "processors", "each"), [(1, 4, 4), (2, 4, 2), (3, 2, 1)])
def test_threads_run_side_by_side_and_share_the_processors(count: int, processors: int, each: int) -> None:
    network = Meeting(count)
    with Loops(torch.device("cpu"), (32, 64), count, processors) as loops:
        assert loops.seconds_a_tile(network, 2) > 0
    assert network.shapes == [torch.Size((2, 3, 32, 64))] * count
    assert list(network.threads.values()) == [each] * count


class Failing(Meeting):
    def __call__(self, tiles: Tensor) -> Features:
        raise RuntimeError("out of everything")


def test_an_error_of_the_network_is_raised() -> None:
    with Loops(torch.device("cpu"), (32, 32), 2, 2) as loops, pytest.raises(RuntimeError, match="out of everything"):
        loops.seconds_a_tile(Failing(2), 1)
