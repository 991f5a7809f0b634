import pytest

from app.rendering.bands import row_bands


@pytest.mark.parametrize(("height", "width"), [(1, 1), (0, 5), (513, 1024), (8192, 8192), (3, 1 << 20), (7, 0)])
def test_the_bands_cover_every_row_once(height: int, width: int) -> None:
    rows = [row for band in row_bands(height, width) for row in range(band.start, band.stop)]
    assert rows == list(range(height))


def test_a_band_has_a_bounded_number_of_pixels() -> None:
    assert max((band.stop - band.start) * 8192 for band in row_bands(8192, 8192)) <= 1 << 18
    assert all(band.stop - band.start == 1 for band in row_bands(3, 1 << 20))
