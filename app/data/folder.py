"""Plain folders of pictures."""

import os
from collections import Counter
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Unpack

from app.data.base import (
    GOOD,
    Common,
    DataModule,
    LabelledPicture,
    LabelledSplit,
    held_out_note,
    hold_out_for_test,
    sort_pictures,
)
from app.data.files import list_pictures, require_pictures
from app.data.left_out import LeftOut
from app.data.masks import MaskFolder
from app.data.mixed_folders import require_normal
from app.data.selection import require_share
from app.errors import InvalidDataset

Folders = str | Sequence[str] | None


class Folder(DataModule):
    """Folders of normal pictures and, optionally, of abnormal pictures, with all their subfolders.

    Args:
        root: the folder that contains the other folders; if only this folder is given, all pictures below it are normal
        normal_dir: the folder of normal pictures, or a list of folders. A subfolder whose name announces defects or
            masks, such as `bad` or `ground_truth`, is refused, unless it is in the list itself
        abnormal_dir: the folder of abnormal pictures, or a list of folders; the kind of a picture is the name of its
            subfolder or, without a subfolder, of the folder
        normal_test_dir: the folder of normal pictures to test on, or a list of folders
        mask_dir: the folder of masks for all abnormal folders, or a list with one for each. A mask has the same path in
            its folder as the picture has in the abnormal folder, and the name of the picture or `<picture>_mask`, with
            any suffix of a picture; other endings, such as `_gt`, are known, too. Pictures may lack masks
        test_split_ratio: the share of the normal pictures, spread evenly, that is used for testing and not for
            training, if there are abnormal pictures and no normal_test_dir
    """

    def __init__(
        self,
        root: str,
        normal_dir: Folders = None,
        abnormal_dir: Folders = None,
        normal_test_dir: Folders = None,
        mask_dir: Folders = None,
        test_split_ratio: float = 0.2,
        **common: Unpack[Common],
    ) -> None:
        super().__init__(**common)
        require_share("test_split_ratio", test_split_ratio)
        self.root, self.test_split_ratio = Path(root), test_split_ratio
        self.normal, self.abnormal = self._below("normal_dir", normal_dir), self._below("abnormal_dir", abnormal_dir)
        self.normal_test, self.masks = (
            self._below("normal_test_dir", normal_test_dir),
            self._below("mask_dir", mask_dir),
        )
        if not self.normal and (self.abnormal or self.normal_test):
            raise InvalidDataset("abnormal_dir and normal_test_dir need a normal_dir; give one")
        if self.masks and len(self.masks) not in (1, len(self.abnormal)):
            raise InvalidDataset(
                f"there are {len(self.masks)} of mask_dir and {len(self.abnormal)} of abnormal_dir; give one mask_dir "
                "for all, or one for each"
            )

    @property
    def description(self) -> str:
        return f"folder {self.root.resolve().name}"

    @property
    def test_note(self) -> str | None:
        return held_out_note(*self._normal()) if self.abnormal and not self.normal_test else None

    @property
    def left_out(self) -> LeftOut:
        found = LeftOut()
        for folders in (self.normal or [self.root], self.normal_test, self.abnormal, self.masks):
            there = [folder for folder in folders if folder.is_dir()]
            found += list_pictures(there, results=folders is self.masks).left_out
        return found

    @property
    def unused_masks(self) -> list[Path]:
        pictures = [require_pictures([folder]) for folder in self.abnormal]
        used = {picture.mask for picture in self._abnormal()}
        return [mask for folder in self._mask_folders(pictures) for mask in folder.unused(used)]

    def find_normal(self) -> list[Path]:
        train, test = self._normal()
        self._require_apart(train, test, require_pictures(self.abnormal))
        return train

    def find_labelled(self) -> LabelledSplit:
        """See DataModule. With a root alone, no picture is labelled."""
        train, test = self._normal()
        abnormal = self._abnormal()
        self._require_apart(train, test, [picture.path for picture in abnormal])
        return LabelledSplit(sort_pictures([*abnormal, *(LabelledPicture(path, GOOD, None) for path in test)]), [])

    def _require_apart(self, train: Sequence[Path], test: Sequence[Path], abnormal: Sequence[Path]) -> None:
        places = [{_place(path): path for path in paths} for paths in (train, test, abnormal)]
        twice = [
            one[place]
            for number, one in enumerate(places)
            for other in places[number + 1 :]
            for place in one.keys() & other.keys()
        ]
        if twice:
            raise InvalidDataset(
                f"{min(twice)} is in two of the folders for normal, abnormal and test pictures; keep them apart"
            )
        normal = self.normal or [self.root]
        require_normal(self.root, normal, train if self.normal_test else [*train, *test])
        require_normal(self.root, self.normal_test, test if self.normal_test else [])

    def _below(self, name: str, folders: Folders) -> list[Path]:
        names = [folders] if isinstance(folders, str) else folders or []
        found = [self.root / folder for folder in names]
        if len(set(found)) < len(found):
            raise InvalidDataset(f"{name} names a folder twice")
        return found

    def _normal(self) -> tuple[list[Path], list[Path]]:
        """The normal pictures for training, and those for testing."""
        normal = require_pictures(self.normal or [self.root])
        if self.normal_test:
            return normal, require_pictures(self.normal_test)
        return hold_out_for_test(normal, self.test_split_ratio) if self.abnormal else (normal, [])

    def _abnormal(self) -> list[LabelledPicture]:
        pictures = [require_pictures([folder]) for folder in self.abnormal]
        folders = self._mask_folders(pictures)
        of_each = folders * len(self.abnormal) if len(folders) == 1 else folders
        found: dict[Path, LabelledPicture] = {}
        for folder, paths, masks in zip_longest(self.abnormal, pictures, of_each):
            for path in paths:
                place = path.relative_to(folder)
                kind = place.parts[0] if len(place.parts) > 1 else folder.resolve().name
                if kind == GOOD:
                    raise InvalidDataset(
                        f"{path} is in an abnormal folder, but its kind would be {GOOD!r}; rename the subfolder"
                    )
                mask = masks.find(_mask_places(folder, place, len(folders))) if masks else None
                found[path] = LabelledPicture(path, kind, mask)
        _require_masks(folders, [picture.mask for picture in found.values() if picture.mask])
        return list(found.values())

    def _mask_folders(self, pictures: Sequence[Sequence[Path]]) -> list[MaskFolder]:
        """The masks in each mask_dir, for the pictures of each abnormal folder."""
        places = [
            [place for path in paths for place in _mask_places(folder, path.relative_to(folder), len(self.masks))]
            for folder, paths in zip(self.abnormal, pictures, strict=True)
        ]
        of_each = places if len(self.masks) > 1 else [[place for each in places for place in each]]
        found = []
        for folder, wanted in zip(self.masks, of_each, strict=False):
            listed = list_pictures([folder], results=True)
            if not listed.pictures:
                raise InvalidDataset(f"{folder} holds no masks")
            found.append(MaskFolder.read(folder, listed.pictures, wanted))
        return found


def _require_masks(folders: Sequence[MaskFolder], used: Sequence[Path]) -> None:
    for mask, count in Counter(used).items():
        if count > 1:
            raise InvalidDataset(
                f"{mask} would be the mask of several pictures; put the masks of each folder into a subfolder of its "
                "name, or give a mask_dir for each abnormal_dir"
            )
    for folder in folders:
        if not set(folder.masks.values()) & set(used):
            raise InvalidDataset(
                f"no mask in {folder.folder} has the path of an abnormal picture; masks are called "
                "<picture>.png or <picture>_mask.png (any suffix), in the subfolders that the pictures are in"
            )


def _mask_places(folder: Path, place: Path, mask_folders: int) -> list[Path]:
    """Where the mask of a picture may be, relative to its mask_dir. One mask_dir may hold those of several folders."""
    return [place] if mask_folders > 1 else [folder.name / place, place]


def _place(path: Path) -> Path:
    """The path without links to folders, by which a picture is recognised on several ways to it."""
    return Path(os.path.realpath(path.parent)) / path.name
