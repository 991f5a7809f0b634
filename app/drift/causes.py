"""Which changes of a camera, of its light or of the parts show in which statistics."""

from collections.abc import Set
from enum import StrEnum

from app.drift.appearance import WHOLE
from app.tiling import Size

ONE_PLACE = 0.25
"""The largest share of the positions that counts as one place."""


class Change(StrEnum):
    """What has changed, as far as the statistics show."""

    out_of_focus = "out_of_focus"  # sharpness, everywhere
    light = "light"  # brightness, everywhere
    camera_moved = "camera_moved"  # the borders or the contours
    dirt = "dirt"  # one place
    surface = "surface"  # many places, or scores, while light, focus and position stay


def causes(strong: Set[str], grid: Size) -> tuple[tuple[Change, ...], tuple[tuple[int, int], ...]]:
    """The causes of a change of these statistics, the most certain one first, and the places of dirt."""
    kinds = {WHOLE[name] for name in strong if name in WHOLE}
    places = {place for place in map(position_of, strong) if place is not None}
    one_place = bool(places) and len(places) <= max(1, ONE_PLACE * grid[0] * grid[1])
    moved = bool(kinds & {"border", "centre"})
    if moved and one_place:  # dirt at an edge of the picture also changes the border; a shift changes a whole side
        sides = [{(row, column) for row in range(grid[0])} for column in (0, grid[1] - 1)]
        sides += [{(row, column) for column in range(grid[1])} for row in (0, grid[0] - 1)]
        moved = any(side <= places for side in sides)
        one_place = not moved
    if "sharpness" in kinds and not one_place:  # a blur also changes highlights, borders, contours and scores
        return (Change.out_of_focus, *([Change.light] if "brightness" in kinds else [])), ()
    light = [Change.light] if kinds & {"brightness", "highlights"} else []
    others = [*light, *([Change.camera_moved] if moved else []), *([Change.dirt] if one_place else [])]
    return tuple(others) or (Change.surface,), tuple(sorted(places)) if one_place else ()


def position_of(name: str) -> tuple[int, int] | None:
    """The (row, column) that a statistic belongs to; None: the whole picture."""
    if "@" not in name:
        return None
    row, column = name.split("@")[1].split(",")
    return int(row), int(column)
