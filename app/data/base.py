"""What every dataset tells: where its pictures lie, and what is known of them."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypedDict

from app.data.selection import require_share, spread
from app.data.unreadable import OnUnreadable
from app.data.workers import default_workers
from app.errors import InvalidDataset
from app.tiling import Size, as_size

GOOD = "good"
ValSplitMode = Literal["none", "from_test", "same_as_test"]


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture to evaluate on: its kind (`good`, or the defect's name) and the mask of its defect, if there is one."""

    path: Path
    kind: str
    mask: Path | None

    @property
    def anomalous(self) -> bool:
        """Whether it shows a defect."""
        return self.kind != GOOD


@dataclass(frozen=True, slots=True)
class Labelled:
    """A dataset's labelled pictures; validation pictures only if it sets some aside itself."""

    test: list[LabelledPicture]
    validation: list[LabelledPicture]


class Common(TypedDict, total=False):
    """The parameters that every dataset takes, and what they are unless given.

    Args:
        image_size: what pictures are resized to, an int or [height, width] (default: as they are)
        num_workers: processes that decode pictures ahead, 0 for none (default: one less than there are cores, at most
            8)
        train_batch_size: pictures in a step of training by gradient descent (default: 32)
        val_split_mode: where validation pictures come from, unless the dataset sets some aside itself: "from_test"
            takes them away from the test pictures, "same_as_test" are all test pictures, to compare with the reference
            library, for figures on pictures that thresholds were fitted to are too good (default: none)
        val_split_ratio: share of the test pictures of each kind that "from_test" takes, spread evenly (default: 0.5)
        on_unreadable: "stop" refuses a dataset with pictures that cannot be read, "skip" reports and leaves them out
            (default: stop)
    """

    image_size: int | Sequence[int] | None
    num_workers: int | None
    train_batch_size: int
    val_split_mode: ValSplitMode
    val_split_ratio: float
    on_unreadable: OnUnreadable


class DataModule(ABC):
    """Pictures for training, validation and testing; its parameters are described at Common."""

    def __init__(
        self,
        image_size: int | Sequence[int] | None = None,
        num_workers: int | None = None,
        train_batch_size: int = 32,
        val_split_mode: ValSplitMode = "none",
        val_split_ratio: float = 0.5,
        on_unreadable: OnUnreadable = "stop",
    ) -> None:
        if num_workers is not None and num_workers < 0:
            raise InvalidDataset(f"num_workers is {num_workers}; use 0 or more")
        if train_batch_size < 1:
            raise InvalidDataset(f"train_batch_size is {train_batch_size}; use 1 or more")
        require_share("val_split_ratio", val_split_ratio)
        self.image_size: Size | None = None if image_size is None else as_size("image_size", image_size)
        self.num_workers = default_workers() if num_workers is None else num_workers
        self.train_batch_size = train_batch_size
        self.val_split_mode, self.val_split_ratio = val_split_mode, val_split_ratio
        self.on_unreadable = on_unreadable

    @property
    @abstractmethod
    def description(self) -> str:
        """What an artifact's provenance calls the dataset; no path of a machine."""

    @abstractmethod
    def train_pictures(self) -> list[Path]:
        """The normal pictures to learn from, sorted; raises InvalidDataset if there are none."""

    @abstractmethod
    def find_labelled(self) -> Labelled:
        """The labelled pictures on the disk; raises InvalidDataset."""

    @property
    def test_note(self) -> str | None:
        """A sentence on the test pictures, if not all pictures that one might expect are among them."""
        return None

    def validation_pictures(self) -> list[LabelledPicture]:
        """The pictures to calibrate and to stop early by, sorted; never trained on. Empty if none are set aside."""
        return self._split().validation

    def test_pictures(self) -> list[LabelledPicture]:
        """The pictures to evaluate on, sorted; empty if the dataset has none."""
        return self._split().test

    def _split(self) -> Labelled:
        found = self.find_labelled()
        if found.validation or self.val_split_mode == "none":
            return found
        if self.val_split_mode == "same_as_test":
            return Labelled(found.test, found.test)
        test: list[LabelledPicture] = []
        validation: list[LabelledPicture] = []
        for kind in sorted({picture.kind for picture in found.test}):
            pictures = [picture for picture in found.test if picture.kind == kind]
            stay, aside = spread(pictures, round(len(pictures) * self.val_split_ratio))
            test += stay
            validation += aside
        return Labelled(sort_pictures(test), sort_pictures(validation))


def sort_pictures(pictures: Iterable[LabelledPicture]) -> list[LabelledPicture]:
    """The pictures in the order of their paths."""
    return sorted(pictures, key=lambda picture: picture.path)


def hold_out_for_test(normal: Sequence[Path], share: float) -> tuple[list[Path], list[Path]]:
    """Normal pictures to train on and to test on: a share of them, spread evenly, at least one; a single one trains."""
    return spread(normal, min(max(1, round(len(normal) * share)), len(normal) - 1))


def held_out_note(train: Sequence[Path], test: Sequence[Path]) -> str:
    """What is to be said of pictures that were divided so."""
    return (
        f"{len(test)} of {len(train) + len(test)} normal pictures are tested, those that a training with the same data "
        "options does not see; test_split_ratio says how many"
    )
