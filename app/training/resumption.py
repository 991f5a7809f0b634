"""The progress of a training in one pass, in its checkpoint."""

import shutil
from collections import deque
from collections.abc import Iterator

import torch
from torch import Tensor

from app.detectors import Fitter
from app.training.checkpoint import Checkpoint

DISK_SHARE = 0.5  # a checkpoint may take this share of the free disk space; else it is not written


class Resumption:
    """Continues a fitter from a checkpoint, and saves the fitter there.

    `added` has the numbers of the pictures that the fitter has. Pictures that could not be read are not among them, and
    are tried again.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._saved = checkpoint.load(mapped=True)
        self.added: list[int] = list(self._saved["added"]) if self._saved else []
        self._taken: deque[int] = deque()  # the numbers of the pictures that are still to be added

    def missing(self, count: int) -> list[int]:
        """The numbers below `count` of the pictures that are not added yet."""
        known = set(self.added)
        return [number for number in range(count) if number not in known]

    def counted(self, numbered: Iterator[tuple[int, Tensor]]) -> Iterator[Tensor]:
        """The pictures of pairs of number and picture. Call `picture_added` after each was added to the fitter.

        Pictures may be taken before earlier ones are added.
        """
        for number, picture in numbered:
            self._taken.append(number)
            yield picture

    def picture_added(self) -> None:
        """The next picture that was taken was added to the fitter."""
        self.added.append(self._taken.popleft())

    @property
    def next(self) -> int:
        """The number of the next picture to be added, of those that were taken."""
        return self._taken[0]

    def restore(self, fitter: Fitter) -> None:
        """Gives the fitter the saved state, if there is one."""
        if self._saved:
            fitter.load_state(self._saved["fitter"])
            self._saved = None  # closes the file

    def save_if_due(self, fitter: Fitter) -> None:
        """Saves the fitter if a checkpoint is due, and the disk has room for it."""
        if not self._checkpoint.is_due:
            return
        state = fitter.state()
        if state is not None and self._has_room(sum(tensor.nbytes for tensor in state.values())):
            self._checkpoint.save({"fitter": _of_own_size(state), "added": self.added})

    def _has_room(self, needed: int) -> bool:
        folder = self._checkpoint.path.parent
        return needed < DISK_SHARE * shutil.disk_usage(folder).free


def _of_own_size(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors on the CPU, with storages of their own size, because torch.save writes whole storages. Copies none
    that is on the CPU.
    """
    return {name: torch.from_numpy(tensor.cpu().numpy()) for name, tensor in state.items()}
