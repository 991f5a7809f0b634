"""The layout of MVTec AD."""

from pathlib import Path
from typing import Unpack

from app.data.base import Common, DataModule, LabelledPicture, LabelledSplit
from app.data.files import SUFFIXES, find_pictures
from app.errors import InvalidDataset


class MVTec(DataModule):
    """The layout of MVTec AD (Bergmann et al. 2019): `<category>/train/good`, `test/<kind>`, `ground_truth/<kind>`.

    The name of a mask is `<picture>_mask.png` or `<picture>.png`.

    Args:
        root: the folder that contains the categories
        category: the name of the category's folder
    """

    def __init__(self, root: str = "./datasets/MVTec", category: str = "bottle", **common: Unpack[Common]) -> None:
        super().__init__(**common)
        self.root, self.category = Path(root), category

    @property
    def description(self) -> str:
        return f"MVTec layout, category {self.category}"

    def train_pictures(self) -> list[Path]:
        folder = self.root / self.category / "train" / "good"
        others = sorted(path.parent.parent.name for path in self.root.glob("*/train/good"))
        if others and self.category not in others:
            raise InvalidDataset(
                f"{self.root} has no category {self.category!r}; data.category can be {', '.join(others)}"
            )
        return find_pictures(folder, folder.glob("*"))

    def find_labelled(self) -> LabelledSplit:
        category = self.root / self.category
        test = []
        for path in sorted((category / "test").glob("*/*")):
            if path.suffix.lower() in SUFFIXES:
                kind = path.parent.name
                truth = category / "ground_truth" / kind
                masks = [
                    mask for name in (f"{path.stem}_mask.png", f"{path.stem}.png") if (mask := truth / name).is_file()
                ]
                test.append(LabelledPicture(path, kind, masks[0] if masks else None))
        return LabelledSplit(test, [])
