"""Bands of rows. Work on one band at a time needs temporary memory that does not grow with the picture."""

from collections.abc import Iterator

_BAND_PIXELS = 1 << 18


def row_bands(height: int, width: int) -> Iterator[slice]:
    """Yields slices of rows that cover all rows from the top: at most 2^18 pixels each, but at least one row."""
    rows = max(1, _BAND_PIXELS // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
