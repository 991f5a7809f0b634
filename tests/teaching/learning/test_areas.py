import numpy as np
import torch
from numpy.typing import NDArray

from app.pipeline import Grid
from app.reviews import ReviewedPicture, ReviewedRegion, ReviewLabel, Ring
from app.teaching.learning.areas import counted_cells, inside, peak_within
from app.tiling import Tiling, plan

SIZE = 64, 96
GRID = Grid(plan(Tiling(tile_size=32), *SIZE, 8), SIZE, 8)


def rectangle(left: float, top: float, right: float, bottom: float) -> Ring:
    return ((left, top), (right, top), (right, bottom), (left, bottom))


def centres(count: int) -> NDArray[np.float64]:
    return np.arange(count, dtype=np.float64) + 0.5


def reviewed(label: ReviewLabel, *regions: tuple[ReviewLabel, Ring]) -> ReviewedPicture:
    areas = tuple(ReviewedRegion(own, (ring,)) for own, ring in regions)
    return ReviewedPicture("a", "0", label, areas, lambda: torch.empty(0))


def test_points_in_holes_are_outside() -> None:
    rings = rectangle(1, 1, 7, 7), rectangle(3, 3, 5, 5)
    found = inside(rings, centres(8), centres(8))
    expected = np.zeros((8, 8), bool)
    expected[1:7, 1:7] = True
    expected[3:5, 3:5] = False
    assert (found == expected).all()


def test_slanted_edges_divide_at_their_line() -> None:
    y, x = centres(20), centres(30)
    found = inside([((0, 0), (30, 0), (0, 20))], y, x)
    assert (found == (y[:, None] / 20 + x[None, :] / 30 < 1)).all()


def test_all_of_a_harmless_picture_counts_and_nothing_of_a_defect() -> None:
    assert counted_cells(reviewed(ReviewLabel.harmless), GRID) is None
    counted = counted_cells(reviewed(ReviewLabel.defect), GRID)
    assert counted is not None and not counted.any()


def test_of_a_picture_with_regions_only_harmless_ones_count() -> None:
    counted = counted_cells(
        reviewed(
            ReviewLabel.defect,
            (ReviewLabel.harmless, rectangle(8, 16, 40, 48)),
            (ReviewLabel.defect, rectangle(56, 0, 96, 64)),
        ),
        GRID,
    )
    expected = torch.zeros(8, 12, dtype=torch.bool)
    expected[2:6, 1:5] = True
    assert counted is not None and torch.equal(counted, expected)


def test_cells_beside_a_defect_do_not_count() -> None:
    for other in (ReviewLabel.defect, ReviewLabel.unsure):
        counted = counted_cells(
            reviewed(
                ReviewLabel.defect, (ReviewLabel.harmless, rectangle(0, 0, 96, 64)), (other, rectangle(41, 25, 43, 27))
            ),
            GRID,
        )
        expected = torch.ones(8, 12, dtype=torch.bool)
        expected[2:5, 4:7] = False  # the cell of the tiny defect, and its neighbours
        assert counted is not None and torch.equal(counted, expected)


def test_the_peak_is_that_of_the_area() -> None:
    found = torch.zeros(*SIZE)
    found[10, 20], found[30, 30] = 5, 9
    assert peak_within([rectangle(16, 8, 24, 16)], found) == 5
    assert peak_within([rectangle(20.6, 10.6, 20.8, 10.8)], found) == 5  # contains no centre of a pixel
    assert peak_within([rectangle(90, 60, 200, 200)], found) == 0
