"""The layout of MVTec AD."""

from collections.abc import Sequence
from pathlib import Path

from app.data.base import DataModule, LabelledPicture
from app.data.files import SUFFIXES, find_pictures


class MVTec(DataModule):
    """The layout of MVTec AD (Bergmann et al. 2019): `<category>/train/good`, `test/<kind>`, `ground_truth/<kind>`."""

    def __init__(
        self,
        root: str = "./datasets/MVTec",
        category: str = "bottle",
        image_size: int | Sequence[int] | None = None,
        num_workers: int = 2,
        train_batch_size: int = 32,
    ) -> None:
        super().__init__(image_size, num_workers, train_batch_size)
        self.root, self.category = Path(root), category

    @property
    def description(self) -> str:
        """The category's name."""
        return f"MVTec layout, category {self.category}"

    def train_pictures(self) -> list[Path]:
        """See DataModule."""
        folder = self.root / self.category / "train" / "good"
        return find_pictures(folder, folder.glob("*"))

    def test_pictures(self) -> list[LabelledPicture]:
        """See DataModule. A mask is called `<picture>_mask.png` or `<picture>.png`."""
        category = self.root / self.category
        found = []
        for path in sorted((category / "test").glob("*/*")):
            if path.suffix.lower() in SUFFIXES:
                kind = path.parent.name
                truth = category / "ground_truth" / kind
                masks = [
                    mask for name in (f"{path.stem}_mask.png", f"{path.stem}.png") if (mask := truth / name).is_file()
                ]
                found.append(LabelledPicture(path, kind, masks[0] if masks else None))
        return found
