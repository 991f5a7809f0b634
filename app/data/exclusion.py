"""Names of pictures that a user leaves out: the ends of their paths."""

from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

from app.errors import InvalidDataset
from app.similar import nearest


def named_pictures(names: Iterable[str], pictures: Sequence[Path]) -> list[Path]:
    """The pictures whose paths end with these names, in their order.

    Raises InvalidDataset if a name is that of no picture, or of several.
    """
    found = {_only(name, pictures) for name in names}
    return [path for path in pictures if path in found]


def short_names(chosen: Iterable[Path], pictures: Sequence[Path]) -> list[str]:
    """For each of the chosen pictures, the shortest name by which `named_pictures` finds it."""
    return [_shortest(path, pictures) for path in chosen]


def _only(name: str, pictures: Sequence[Path]) -> Path:
    end = PurePath(name).parts
    found = [path for path in pictures if end and path.parts[-len(end) :] == end]
    if len(found) == 1:
        return found[0]
    if found:
        longer = ", ".join(short_names(found[:2], pictures))
        raise InvalidDataset(f"exclude names {name!r}, which {len(found)} pictures are called; give {longer}, ...")
    close = nearest(name, [path.name for path in pictures])
    raise InvalidDataset(
        f"exclude names {name!r}, and none of the {len(pictures)} normal pictures is called so; "
        + (f"did you mean {close!r}?" if close else "give the names of files, as in the folder")
    )


def _shortest(path: Path, pictures: Sequence[Path]) -> str:
    parts = path.parts
    for length in range(1, len(parts)):
        end = parts[-length:]
        if sum(other.parts[-length:] == end for other in pictures) == 1:
            return PurePath(*end).as_posix()
    return path.as_posix()
