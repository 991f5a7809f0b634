"""The width of lines in pictures."""

PIXELS_PER_LINE_WIDTH = 800
WIDEST = 40
"""In pixels; it bounds the rows that bands of a large picture need of each other."""


def line_width(size: tuple[int, int]) -> int:
    """The width of lines in a picture of this size, in pixels.

    It grows with the picture, so that lines stay visible when the picture is scaled down to the size of a screen.
    """
    return min(max(1, round(max(size) / PIXELS_PER_LINE_WIDTH)), WIDEST)
