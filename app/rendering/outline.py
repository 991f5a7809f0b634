"""Draws frames around defect regions."""

from collections.abc import Iterable

from torch import Tensor

_PIXELS_PER_LINE_WIDTH = 800


def outline(picture: Tensor, boxes: Iterable[tuple[int, int, int, int]]) -> Tensor:
    """A copy of the picture [3,H,W] (or [1,H,W]) uint8 with a frame around each box (top, left, height, width).

    Each frame is a white line with a black line around it, so that it is visible on any background. The frame lies
    outside its box, so that it hides nothing of the region. Where the picture has no room for that, the frame lies at
    the edge of the picture. The line width grows with the picture, so that the lines are still visible when the picture
    is scaled down to the size of a screen.
    """
    framed = picture.clone()
    height, width = framed.shape[1:]
    line = max(1, round(max(height, width) / _PIXELS_PER_LINE_WIDTH))
    for top, left, box_height, box_width in boxes:
        for margin, value in ((2 * line, 0), (line, 255)):
            edges = (
                max(top - margin, 2 * line - margin),
                max(left - margin, 2 * line - margin),
                min(top + box_height + margin, height - 2 * line + margin),
                min(left + box_width + margin, width - 2 * line + margin),
            )
            _draw(framed, edges, line, value)
    return framed


def _draw(picture: Tensor, edges: tuple[int, int, int, int], line: int, value: int) -> None:
    """Draws a frame of the given line width in pixels inside the edges (top, left, bottom, right)."""
    top, left, bottom, right = edges
    area = picture[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    area[:, :line] = value
    area[:, -line:] = value
    area[:, :, :line] = value
    area[:, :, -line:] = value
