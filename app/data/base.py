"""What every dataset tells: where its pictures lie, and what is known of them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.tiling import Size, as_size


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture to evaluate on: its kind (`good`, or the defect's name) and the mask of its defect, if there is one."""

    path: Path
    kind: str
    mask: Path | None

    @property
    def anomalous(self) -> bool:
        """Whether it shows a defect."""
        return self.kind != "good"


class DataModule(ABC):
    """Pictures for training and testing, resized to `image_size` (an int or [height, width]; None: as they are).

    `num_workers` pictures are decoded at the same time, 0 meaning one.
    """

    def __init__(self, image_size: int | Sequence[int] | None, num_workers: int, train_batch_size: int = 32) -> None:
        self.train_batch_size = train_batch_size
        self.image_size: Size | None = None if image_size is None else as_size("image_size", image_size)
        self.num_workers = max(1, num_workers)

    @property
    @abstractmethod
    def description(self) -> str:
        """What an artifact's provenance calls the dataset; no path of a machine."""

    @abstractmethod
    def train_pictures(self) -> list[Path]:
        """The normal pictures to learn from, sorted; raises InvalidDataset if there are none."""

    @abstractmethod
    def test_pictures(self) -> list[LabelledPicture]:
        """The pictures to evaluate on, sorted; empty if the dataset has none."""
