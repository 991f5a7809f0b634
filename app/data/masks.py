"""Finds the mask of a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.data.files import find_pictures
from app.errors import InvalidDataset


@dataclass(frozen=True, slots=True)
class MaskFolder:
    """The masks in a folder and its subfolders.

    folder: the folder
    masks: the mask files, by their path relative to the folder, without suffix and without `_mask`
    """

    folder: Path
    masks: dict[Path, Path]

    @classmethod
    def read(cls, folder: Path) -> "MaskFolder":
        """Reads the folder; raises InvalidDataset if it has no masks, or several masks for one picture."""
        masks: dict[Path, Path] = {}
        for mask in find_pictures(folder, folder.rglob("*")):
            place = mask.relative_to(folder)
            place = place.with_name(place.stem.removesuffix("_mask"))
            if place in masks:
                raise InvalidDataset(f"{masks[place]} and {mask} are masks of the same picture; remove one of them")
            masks[place] = mask
        return cls(folder, masks)

    def find(self, places: Sequence[Path]) -> Path | None:
        """The mask at the first of the `places` that has one; None: no place has a mask.

        `places` are paths of a picture, with suffix, relative to the folder.
        """
        return next((mask for place in places if (mask := self.masks.get(place.with_suffix("")))), None)
