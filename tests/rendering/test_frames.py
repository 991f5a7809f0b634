import pytest
import torch

from app.rendering import framed


@pytest.mark.parametrize("background", [0, 128, 255])
def test_a_frame_is_white_within_black_around_the_box(background: int) -> None:
    picture = torch.full((3, 40, 50), background, dtype=torch.uint8)
    found = framed(picture, [(10, 20, 5, 8)])
    row, column = found[0, 12], found[0, :, 24]
    assert row[17:22].tolist() == [background, 0, 255, background, background]
    assert row[27:31].tolist() == [background, 255, 0, background]
    assert column[7:11].tolist() == [background, 0, 255, background]
    assert column[14:18].tolist() == [background, 255, 0, background]
    assert found[:, 10:15, 20:28].eq(background).all()


def test_the_frame_of_a_box_at_the_edge_lies_inside_the_picture() -> None:
    found = framed(torch.full((3, 20, 30), 99, dtype=torch.uint8), [(0, 0, 20, 30)])
    for line in (found[0, :, 15], found[0, :, 15].flip(0), found[0, 10], found[0, 10].flip(0)):
        assert line[:3].tolist() == [0, 255, 99]


def test_the_lines_grow_with_the_picture() -> None:
    found = framed(torch.full((1, 4000, 100), 99, dtype=torch.uint8), [(1000, 40, 10, 10)])
    assert found[0, 1005, 28:41].tolist() == [99, 99, *[0] * 5, *[255] * 5, 99]


def test_the_picture_is_not_changed_and_no_boxes_give_a_copy() -> None:
    picture = torch.zeros(3, 9, 9, dtype=torch.uint8)
    framed(picture, [(3, 3, 2, 2)])
    assert picture.eq(0).all()
    copy = framed(picture, [])
    assert copy.equal(picture) and copy.data_ptr() != picture.data_ptr()


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (3, 3), (4, 2)])
def test_frames_that_are_larger_than_the_picture_are_clipped(size: tuple[int, int]) -> None:
    found = framed(torch.full((3, *size), 99, dtype=torch.uint8), [(0, 0, *size)])
    assert found.shape == (3, *size)
    assert found[:, 0, 0].eq(0).all()
