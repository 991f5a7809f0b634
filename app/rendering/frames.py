"""Draws frames around boxes."""

from collections.abc import Iterable

from torch import Tensor

from app.rendering.lines import line_width

Box = tuple[int, int, int, int]
"""(top, left, height, width)."""


def framed(picture: Tensor, boxes: Iterable[Box]) -> Tensor:
    """A copy of the picture [3,H,W] (or [1,H,W]) uint8 with a frame around each box.

    Each frame is a white line with a black line around it, so that it is visible on any background. The frame lies
    outside its box, so that it hides nothing of it. Where the picture has no room for that, the frame lies at the edge
    of the picture.
    """
    found = picture.clone()
    frame_rows(found, boxes, 0, (found.shape[1], found.shape[2]))
    return found


def frame_rows(rows: Tensor, boxes: Iterable[Box], first: int, size: tuple[int, int]) -> None:
    """Draws the frames of `framed` into some rows of a picture of this size, [C,n,W] from row `first` on, in place."""
    height, width = size
    line = line_width(size)
    for top, left, box_height, box_width in boxes:
        if top - 2 * line > first + rows.shape[1] or top + box_height + 2 * line < first:
            continue
        for margin, value in ((2 * line, 0), (line, 255)):
            above, before = max(top - margin, 2 * line - margin), max(left - margin, 2 * line - margin)
            below = min(top + box_height + margin, height - 2 * line + margin)
            after = min(left + box_width + margin, width - 2 * line + margin)
            inner = max(above, below - line), max(before, after - line)
            for y, x in (
                ((above, min(above + line, below)), (before, after)),
                ((inner[0], below), (before, after)),
                ((above, below), (before, min(before + line, after))),
                ((above, below), (inner[1], after)),
            ):
                down = slice(max(y[0] - first, 0), max(y[1] - first, 0))
                rows[:, down, max(x[0], 0) : max(x[1], 0)] = value
