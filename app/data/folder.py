"""A folder of normal pictures."""

from collections.abc import Sequence
from pathlib import Path

from app.data.base import DataModule, LabelledPicture
from app.data.files import find_pictures


class Folder(DataModule):
    """A folder of normal pictures, with those of its subfolders."""

    def __init__(
        self,
        root: str,
        image_size: int | Sequence[int] | None = None,
        num_workers: int = 2,
        train_batch_size: int = 32,
    ) -> None:
        super().__init__(image_size, num_workers, train_batch_size)
        self.root = Path(root)

    @property
    def description(self) -> str:
        """The folder's name."""
        return f"folder {self.root.resolve().name}"

    def train_pictures(self) -> list[Path]:
        """See DataModule."""
        return find_pictures(self.root, self.root.rglob("*"))

    def test_pictures(self) -> list[LabelledPicture]:
        """None: a folder of normal pictures says nothing of defects."""
        return []
