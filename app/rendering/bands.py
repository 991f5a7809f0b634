"""Bands of rows, in which everything here works: what it needs besides its result does not grow with the picture."""

from collections.abc import Iterator

_BAND_PIXELS = 1 << 18


def row_bands(height: int, width: int) -> Iterator[slice]:
    """Slices of at most 2^18 pixels (one row at least) that cover all rows from the top."""
    rows = max(1, _BAND_PIXELS // max(1, width))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))
