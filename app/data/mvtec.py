"""The layout of MVTec AD."""

from pathlib import Path
from typing import Unpack

from app.data.base import GOOD, Common, DataModule, LabelledPicture, LabelledSplit
from app.data.files import Listing, list_pictures, require_pictures
from app.data.left_out import LeftOut, is_hidden
from app.data.masks import MaskFolder
from app.errors import InvalidDataset


class MVTec(DataModule):
    """The layout of MVTec AD (Bergmann et al. 2019): `<category>/train/good`, `test/<kind>`, `ground_truth/<kind>`.

    The name of a mask is `<picture>_mask` or `<picture>`, with any suffix of a picture; other endings, such as `_gt`,
    are known, too. Pictures may lack masks; those of `test/good` need none.

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

    def find_normal(self) -> list[Path]:
        others = sorted(path.parent.parent.name for path in self.root.glob("*/train/good"))
        if others and self.category not in others:
            categories = ", ".join(name for name in others if not is_hidden(name))
            raise InvalidDataset(f"{self.root} has no category {self.category!r}; data.category can be {categories}")
        return require_pictures([self._train], depth=0)

    def find_labelled(self) -> LabelledSplit:
        test: list[LabelledPicture] = []
        for kind, pictures in self._kinds().items():
            masks = self._masks(kind, pictures)
            found = {path: masks.find([Path(path.name)]) if masks else None for path in pictures}
            test += (LabelledPicture(path, kind, mask) for path, mask in found.items())
        return LabelledSplit(test, [])

    @property
    def left_out(self) -> LeftOut:
        tests = self._listed()
        found = tests.left_out + LeftOut(misplaced=tuple(path for path in tests.pictures if path.parent == self._test))
        folders = {self._train: False} | {self._truth / kind: True for kind in self._kinds() if kind != GOOD}
        for folder, masks in folders.items():
            if folder.is_dir():
                found += list_pictures([folder], depth=0, results=masks).left_out
        return found

    @property
    def unused_masks(self) -> list[Path]:
        used = {picture.mask for picture in self.find_labelled().test}
        folders = (self._masks(kind, pictures) for kind, pictures in self._kinds().items())
        return [mask for masks in folders if masks for mask in masks.unused(used)]

    @property
    def _train(self) -> Path:
        return self.root / self.category / "train" / GOOD

    @property
    def _test(self) -> Path:
        return self.root / self.category / "test"

    @property
    def _truth(self) -> Path:
        return self.root / self.category / "ground_truth"

    def _listed(self) -> Listing:
        return list_pictures([self._test], depth=1) if self._test.is_dir() else Listing([], LeftOut())

    def _kinds(self) -> dict[str, list[Path]]:
        """The test pictures of each kind."""
        found: dict[str, list[Path]] = {}
        for path in self._listed().pictures:
            if path.parent != self._test:
                found.setdefault(path.parent.name, []).append(path)
        return found

    def _masks(self, kind: str, pictures: list[Path]) -> MaskFolder | None:
        """The masks of a kind of defect; None: there is no folder for them."""
        folder = self._truth / kind
        if kind == GOOD or not folder.is_dir():
            return None
        files = list_pictures([folder], depth=0, results=True).pictures
        return MaskFolder.read(folder, files, [Path(path.name) for path in pictures])
