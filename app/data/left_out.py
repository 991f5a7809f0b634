"""What the folders of a data set hold besides its pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

NAMED = 3
"""The largest number of names that a note gives for each reason."""

OF_OTHER_PROGRAMS = frozenset(
    {
        *("lost+found", "__macosx", "temporary items", "network trash folder", "thevolumesettingsfolder"),
        *("$recycle.bin", "recycler", "system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini"),
        *("@eadir", "#recycle", "#snapshot", "~snapshot", "@recycle", "@recently-snapshot"),
    }
)
"""Names that file systems, desktops and network storage give to their own files and folders, in lower case."""


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name belongs to a program and not to a user."""
    return name.startswith(".") or name.lower() in OF_OTHER_PROGRAMS


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Files and folders below the folders of a data set that are not read.

    hidden: hidden folders, and hidden files with the suffix of a picture
    repeated: folders that are read already, by another path
    results: pictures that `tessera predict` wrote
    misplaced: folders and pictures that have no place in the layout of the data set
    excluded: normal pictures that a user leaves out
    """

    hidden: tuple[Path, ...] = ()
    repeated: tuple[Path, ...] = ()
    results: tuple[Path, ...] = ()
    misplaced: tuple[Path, ...] = ()
    excluded: tuple[Path, ...] = ()

    def __add__(self, other: "LeftOut") -> "LeftOut":
        return LeftOut(
            (*self.hidden, *other.hidden),
            (*self.repeated, *other.repeated),
            (*self.results, *other.results),
            (*self.misplaced, *other.misplaced),
            (*self.excluded, *other.excluded),
        )

    @property
    def note(self) -> str | None:
        """One line with the number of names for each reason, and some of the names; None: nothing is left out."""
        reasons = (
            (self.hidden, "hidden name{s}"),
            (self.repeated, "path{s} to folders that are read already"),
            (self.results, "result{s} of tessera predict"),
            (self.misplaced, "name{s} that have no place in the layout"),
            (self.excluded, "picture{s} by data.exclude"),
        )
        parts = [
            f"{len(paths)} {words.format(s='s' * (len(paths) != 1))} ({_named(paths)})"
            for paths, words in reasons
            if paths
        ]
        return f"left out: {', '.join(parts)}" if parts else None


def _named(paths: Sequence[Path]) -> str:
    names = list(dict.fromkeys(path.name for path in paths))
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
