"""The contract of every dataset: the paths of its pictures, and their labels."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isqrt
from pathlib import Path
from typing import Literal, TypedDict

from app.data.exclusion import named_pictures
from app.data.headers import MAX_PIXELS
from app.data.left_out import LeftOut
from app.data.selection import require_share, spread
from app.data.unreadable import OnUnreadable
from app.data.workers import default_workers
from app.errors import InvalidDataset
from app.tiling import Size, as_size

GOOD = "good"
ValSplitMode = Literal["none", "from_test", "same_as_test"]


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A picture with a label.

    path: the picture file
    kind: `good`, or the kind of defect
    mask: the mask file of the defect; None: there is none
    """

    path: Path
    kind: str
    mask: Path | None

    @property
    def anomalous(self) -> bool:
        """Whether the picture shows a defect."""
        return self.kind != GOOD


@dataclass(frozen=True, slots=True)
class LabelledSplit:
    """The labelled pictures of a dataset.

    test: the pictures to evaluate on
    validation: the validation pictures; empty unless the dataset defines some itself
    """

    test: list[LabelledPicture]
    validation: list[LabelledPicture]


class Common(TypedDict, total=False):
    """The parameters of every dataset, and their defaults.

    Args:
        image_size: the size in pixels to which pictures are resized, an int or [height, width] (default: pictures keep
            their size)
        num_workers: the number of processes that decode pictures ahead; 0: no extra process (default: the number of
            cores less one, at most 8)
        train_batch_size: the number of pictures in a step of gradient descent (default: 32)
        val_split_mode: the source of the validation pictures, unless the dataset defines some itself. "from_test" moves
            a share of the test pictures to the validation pictures. "same_as_test" uses all test pictures for
            validation, too: only for comparisons with the reference library, because metrics on pictures that
            thresholds were fitted to are too good (default: none)
        val_split_ratio: the share of the test pictures of each kind, spread evenly, that "from_test" moves
            (default: 0.5)
        on_unreadable: "stop" refuses a dataset with pictures that cannot be read, "skip" reports these pictures and
            leaves them out (default: stop)
        exclude: a normal picture, or a list of them, that is not trained on: the name of its file, or so much of the
            end of its path that it is the only one (default: none)
    """

    image_size: int | Sequence[int] | None
    num_workers: int | None
    train_batch_size: int
    val_split_mode: ValSplitMode
    val_split_ratio: float
    on_unreadable: OnUnreadable
    exclude: str | Sequence[str] | None


class DataModule(ABC):
    """Pictures for training, validation and testing. Common describes the parameters."""

    def __init__(
        self,
        image_size: int | Sequence[int] | None = None,
        num_workers: int | None = None,
        train_batch_size: int = 32,
        val_split_mode: ValSplitMode = "none",
        val_split_ratio: float = 0.5,
        on_unreadable: OnUnreadable = "stop",
        exclude: str | Sequence[str] | None = None,
    ) -> None:
        if num_workers is not None and num_workers < 0:
            raise InvalidDataset(f"num_workers is {num_workers}; use 0 or more")
        if train_batch_size < 1:
            raise InvalidDataset(f"train_batch_size is {train_batch_size}; use 1 or more")
        require_share("val_split_ratio", val_split_ratio)
        self.image_size = None if image_size is None else _require_pixels(as_size("image_size", image_size))
        self.num_workers = default_workers() if num_workers is None else num_workers
        self.train_batch_size = train_batch_size
        self.val_split_mode, self.val_split_ratio = val_split_mode, val_split_ratio
        self.on_unreadable = on_unreadable
        self.exclude = [exclude] if isinstance(exclude, str) else list(exclude or ())

    @property
    @abstractmethod
    def description(self) -> str:
        """The name of the dataset in an artifact's provenance. It has no directories of this machine."""

    @abstractmethod
    def find_normal(self) -> list[Path]:
        """The normal pictures on the disk that may be trained on, sorted; raises InvalidDataset if there are none."""

    @abstractmethod
    def find_labelled(self) -> LabelledSplit:
        """The labelled pictures on the disk; raises InvalidDataset."""

    @property
    def test_note(self) -> str | None:
        """A note for the user about the choice of the test pictures; None: the choice needs no note."""
        return None

    @property
    def left_out(self) -> LeftOut:
        """What is below the folders of the dataset and not read."""
        return LeftOut()

    @property
    def unused_masks(self) -> list[Path]:
        """The files in the folders of masks that belong to no picture; raises InvalidDataset as find_labelled does."""
        return []

    @property
    def notes(self) -> list[str]:
        """Sentences for the user about the choice of the test pictures, and about files that are not read."""
        excluded = named_pictures(self.exclude, self.find_normal()) if self.exclude else []
        left_out = self.left_out + LeftOut(excluded=tuple(excluded))
        return [note for note in (self.test_note, left_out.note) if note]

    @property
    def mask_note(self) -> str | None:
        """A sentence about masks whose names are those of no picture; None: there are none. Raises InvalidDataset."""
        unused = self.unused_masks
        if not unused:
            return None
        return (
            f"{len(unused)} of the masks have the name of no picture, such as {unused[0].name}: the mask of NAME.png "
            "is called NAME_mask.png or NAME.png"
        )

    def train_pictures(self) -> list[Path]:
        """The normal pictures to train on, sorted: those of `find_normal` without those that `exclude` names.

        Raises InvalidDataset if there are none, or if `exclude` names a picture that is not there, or several.
        """
        normal = self.find_normal()
        excluded = named_pictures(self.exclude, normal)
        left = [path for path in normal if path not in excluded]
        if not left:
            raise InvalidDataset(f"exclude names all {len(normal)} normal pictures; leave some of them to train on")
        return left

    def validation_pictures(self) -> list[LabelledPicture]:
        """The pictures for calibration and early stopping, sorted; never trained on. Empty if none are set aside."""
        return self._split().validation

    def test_pictures(self) -> list[LabelledPicture]:
        """The pictures to evaluate on, sorted; empty if the dataset has none."""
        return self._split().test

    def _split(self) -> LabelledSplit:
        found = self.find_labelled()
        if found.validation or self.val_split_mode == "none":
            return found
        if self.val_split_mode == "same_as_test":
            return LabelledSplit(found.test, found.test)
        test: list[LabelledPicture] = []
        validation: list[LabelledPicture] = []
        for kind in sorted({picture.kind for picture in found.test}):
            pictures = [picture for picture in found.test if picture.kind == kind]
            stay, aside = spread(pictures, round(len(pictures) * self.val_split_ratio))
            test += stay
            validation += aside
        return LabelledSplit(sort_pictures(test), sort_pictures(validation))


def _require_pixels(size: Size) -> Size:
    """The size; raises InvalidDataset if it has more pixels than a picture may have."""
    if size[0] * size[1] > MAX_PIXELS:
        raise InvalidDataset(
            f"image_size is {list(size)}, which is {size[0] * size[1]:,} pixels; the limit is {MAX_PIXELS:,}, such as "
            f'"[{isqrt(MAX_PIXELS)}, {isqrt(MAX_PIXELS)}]"'
        )
    return size


def sort_pictures(pictures: Iterable[LabelledPicture]) -> list[LabelledPicture]:
    """The pictures, sorted by path."""
    return sorted(pictures, key=lambda picture: picture.path)


def hold_out_for_test(normal: Sequence[Path], share: float) -> tuple[list[Path], list[Path]]:
    """Divides normal pictures into those for training and those for testing.

    About `share` of the pictures, spread evenly, are for testing: at least one, but never all. A single picture is for
    training.
    """
    return spread(normal, min(max(1, round(len(normal) * share)), len(normal) - 1))


def held_out_note(train: Sequence[Path], test: Sequence[Path]) -> str:
    """The test note of a dataset whose normal pictures were divided by `hold_out_for_test`."""
    return (
        f"{len(test)} of {len(train) + len(test)} normal pictures are used for testing; a training with the same data "
        "options does not use them; data.test_split_ratio sets their share"
    )
