"""A bounded random sample of the patches of a training."""

from collections.abc import Mapping

import torch
from torch import Tensor

PATCHES = 2**15


class PatchSample:
    """Random patches of all pictures, about equally many of each, and the number of the picture of each patch.

    expected: the largest number of patches of all pictures
    """

    def __init__(self, channels: int, expected: int, device: torch.device) -> None:
        self._share = min(1.0, PATCHES / expected)
        self._patches = torch.empty(min(PATCHES, expected), channels, device=device)
        self._pictures = torch.empty(len(self._patches), dtype=torch.int32, device=device)
        self._generator = torch.Generator().manual_seed(0)
        self._stored = self._seen = self.pictures = 0

    @staticmethod
    def bytes(channels: int) -> int:
        """The most bytes that a sample takes."""
        return 4 * (channels + 1) * PATCHES

    def add(self, embedding: Tensor, top: int, left: int = 0) -> None:
        """Draws from a band of a picture, [C,rows,w], with its first row and column; (0, 0) begins the next picture."""
        patches = embedding.flatten(1).T
        self.pictures += top == left == 0
        self._seen += len(patches)
        end = min(int(self._seen * self._share + 1e-6), len(self._patches))
        drawn = torch.randperm(len(patches), generator=self._generator)[: end - self._stored]
        self._patches[self._stored : end] = patches[drawn.to(patches.device)]
        self._pictures[self._stored : end] = self.pictures - 1
        self._stored = end

    @property
    def in_pictures(self) -> float:
        """The size of the whole sample, as a number of pictures like those so far."""
        return len(self._patches) * self.pictures / self._seen

    def of(self, pictures: range) -> Tensor:
        """The patches [p,C] of these pictures, which are numbered in the order in which they were added."""
        numbers = self._pictures[: self._stored]
        return self._patches[: self._stored][(numbers >= pictures.start) & (numbers < pictures.stop)]

    def state(self) -> dict[str, Tensor]:
        """What another sample needs to continue this one."""
        return {
            "counts": torch.tensor([self._stored, self._seen, self.pictures]),
            "patches": self._patches[: self._stored],
            "pictures": self._pictures[: self._stored],
            "generator": self._generator.get_state(),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Continues the sample whose `state` this is."""
        self._stored, self._seen, self.pictures = state["counts"].tolist()
        self._patches[: self._stored] = state["patches"]
        self._pictures[: self._stored] = state["pictures"]
        self._generator.set_state(state["generator"].clone())

    def clear(self) -> None:
        """Frees the memory of the patches."""
        self._patches, self._stored = self._patches.new_empty(0, self._patches.shape[1]), 0
