"""Finds the masks of pictures by their names."""

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import InvalidDataset

_ENDING = re.compile(r"[ ._-]+(masks?|gt|labels?|seg|segmentation|ground[ ._-]?truth)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MaskFolder:
    """The masks in a folder and its subfolders.

    folder: the folder
    masks: the mask files by their place: the path relative to the folder, without suffix, and without an ending such as
        `_mask` unless a picture has this name itself
    """

    folder: Path
    masks: dict[Path, Path]

    @classmethod
    def read(cls, folder: Path, files: Iterable[Path], places: Collection[Path]) -> "MaskFolder":
        """The masks among the `files` below `folder`; raises InvalidDataset if two have the same place.

        `places` are the paths of the pictures relative to the folder, with suffix.
        """
        names = {*places, *(place.with_suffix("") for place in places)}
        masks: dict[Path, Path] = {}
        for mask in files:
            name = mask.relative_to(folder).with_suffix("")
            place = name if name in names else name.with_name(_ENDING.sub("", name.name) or name.name)
            if place in masks:
                raise InvalidDataset(f"{masks[place]} and {mask} are masks of the same picture; remove one of them")
            masks[place] = mask
        return cls(folder, masks)

    def find(self, places: Sequence[Path]) -> Path | None:
        """The mask at the first of the `places` that has one; None: no place has a mask.

        `places` are paths of a picture, with suffix, relative to the folder. A mask has the picture's name with its
        suffix (`0001.jpg.png`) or without it.
        """
        names = (name for place in places for name in (place, place.with_suffix("")))
        return next((mask for name in names if (mask := self.masks.get(name))), None)

    def unused(self, used: Collection[Path | None]) -> list[Path]:
        """The masks that are not among the `used` ones."""
        return [mask for mask in self.masks.values() if mask not in used]
