from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from app.rendering import MarkedRegion, RegionMarks, marked, marked_bands

GREY = 99


def grey(height: int, width: int) -> Tensor:
    return torch.full((3, height, width), GREY, dtype=torch.uint8)


def masked(size: tuple[int, int], *boxes: Sequence[int]) -> Tensor:
    mask = torch.zeros(size, dtype=torch.bool)
    for top, left, height, width in boxes:
        mask[top : top + height, left : left + width] = True
    return mask


def test_a_contour_follows_the_region_and_hides_nothing_of_it() -> None:
    mask = masked((60, 80), (20, 20, 20, 10), (30, 20, 10, 40))  # an L
    found = marked(grey(60, 80), mask, [MarkedRegion((20, 20, 20, 40), int(mask.sum()), (25, 25))])
    assert (found[:, mask] == GREY).all()
    assert found[0, 25, 17:20].tolist() == [GREY, 0, 255] and found[0, 25, 30:33].tolist() == [255, 0, GREY]
    assert found[0, 24, 45] == GREY, "the corner of the box, far from the region"
    assert found[0, 27:30, 45].tolist() == [GREY, 0, 255]


def test_a_small_region_gets_a_frame_that_has_its_centre() -> None:
    mask = masked((60, 80), (30, 40, 2, 2))
    found = marked(grey(60, 80), mask, [MarkedRegion((30, 40, 2, 2), 4, (30, 40))])
    assert found[0, 31, 32:35].tolist() == [0, 255, GREY] and found[0, 31, 48:51].tolist() == [255, 0, GREY]


def test_a_large_region_gets_a_ring_at_its_peak() -> None:
    size = 60, 80
    found = marked(grey(*size), masked(size, (0, 0, 60, 40)), [MarkedRegion((0, 0, 60, 40), 2400, (30, 20))])
    assert found[0, 30, 20] == GREY and found[0, 30, 20 + 12] == found[0, 30 - 12, 20] == 255
    assert found[0, 30, 20 + 14] == found[0, 30, 20 + 10] == 0


def test_the_contour_of_a_region_at_the_edge_lies_inside_the_picture() -> None:
    found = marked(grey(40, 50), masked((40, 50), (0, 10, 2, 30)), [MarkedRegion((0, 10, 2, 30), 60, (0, 10))])
    assert found[0, :4, 25].tolist() == [0, 255, 255, 0]


@pytest.mark.parametrize("step", [1, 7, 1000])
def test_bands_are_drawn_as_the_whole_picture(step: int) -> None:
    size = 90, 4100  # lines of 5 pixels, so that bands of one row need those of ten others on each side
    torch.manual_seed(step)
    mask = torch.rand(9, 41).gt(0.8).repeat_interleave(10, 0).repeat_interleave(100, 1)
    regions = [MarkedRegion((20, 100, 9, 60), 500, (22, 110)), MarkedRegion((0, 0, 90, 4100), 200_000, (44, 2000))]
    picture = torch.randint(0, 256, (3, *size), dtype=torch.uint8)
    rows = [slice(first, first + step) for first in range(0, size[0], step)]
    bands = [(picture[:, each].clone(), mask[each]) for each in rows]
    found = torch.cat(list(marked_bands(bands, RegionMarks(regions, size))), 1)
    assert found.equal(marked(picture, mask, regions))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 3), (4, 2)])
def test_marks_that_are_larger_than_the_picture_are_clipped(size: tuple[int, int]) -> None:
    found = marked(grey(*size), masked(size, (0, 0, *size)), [MarkedRegion((0, 0, *size), size[0] * size[1], (0, 0))])
    assert found.shape == (3, *size)
