"""Refuses folders of normal pictures that contain folders of defects or of masks."""

import shlex
from collections.abc import Iterable, Sequence
from pathlib import Path

from app.data.folder_names import Content, content_of
from app.errors import InvalidDataset

MAX_LISTED = 4
"""The largest number of folders that a message lists."""


def require_normal(root: Path, normal: Sequence[Path], pictures: Iterable[Path]) -> None:
    """Raises InvalidDataset if some of the pictures lie in a subfolder for defects or masks, by its name.

    `normal` are the folders that are to be read as normal. The names of these folders themselves are not judged. A
    subfolder whose name says nothing is refused beside a subfolder of good pictures, such as `scuffed` beside `good`.
    """
    chains = [list(_subfolders(path, normal)) for path in pictures]
    folders = sorted({folder for chain in chains for folder in chain})
    good, defects, masks = ([folder for folder in folders if content_of(folder.name) is content] for content in Content)
    silent = {folder for chain in chains if all(content_of(each.name) is None for each in chain) for folder in chain}
    beside = {folder.parent for folder in good}
    unsaid = [folder for folder in silent if folder.parent in beside]
    wrong = _topmost([*defects, *masks, *unsaid])
    if wrong:
        announced = "beside a folder of good pictures" if wrong[0] in unsaid else f"named {wrong[0].name!r}"
        words = _words(root, good, wrong, masks, unsaid)
        raise InvalidDataset(f"{wrong[0]} is {announced}, and would be taken as normal pictures. {words}")


def _words(
    root: Path, good: Sequence[Path], wrong: Sequence[Path], masks: Sequence[Path], unsaid: Sequence[Path]
) -> str:
    """The parameters to use instead. Folders whose names say nothing are proposed only if no name announces defects."""
    if (root / "train" / "good").is_dir():
        layout = root.resolve()
        words = f"--data MVTec --data.root {layout.parent} --data.category {layout.name}"
        return f"The layout is that of MVTec AD: use {words}"
    usable = [folder for folder in _topmost(good) if not any(folder in each.parents for each in wrong)]
    defects = [folder for folder in wrong if folder not in masks and folder not in unsaid]
    defects = defects or [folder for folder in wrong if folder in unsaid]
    given = {"normal_dir": usable, "abnormal_dir": defects, "mask_dir": [folder for folder in wrong if folder in masks]}
    words = " ".join(f"--data.{name} {_listed(root, folders)}" for name, folders in given.items() if folders)
    if usable:
        return f"Name the folders: {words}"
    return f"Move the normal pictures into a folder of their own, and name the folders: --data.normal_dir good {words}"


def _listed(root: Path, folders: Sequence[Path]) -> str:
    names = [
        (folder.relative_to(root) if folder.is_relative_to(root) else folder).as_posix()
        for folder in folders[:MAX_LISTED]
    ]
    more = ", ..." if len(folders) > MAX_LISTED else ""
    return shlex.quote(names[0]) if len(folders) == 1 else f"'[{', '.join(names)}{more}]'"


def _subfolders(path: Path, normal: Sequence[Path]) -> Iterable[Path]:
    """The folders between a picture and the nearest of the `normal` folders above it."""
    for folder in path.parents:
        if folder in normal:
            return
        yield folder


def _topmost(folders: Sequence[Path]) -> list[Path]:
    """The folders that lie in no other of them, sorted."""
    return sorted(folder for folder in set(folders) if not set(folder.parents) & set(folders))
