import torch

from app.rendering import hatch


def test_a_box_is_hatched_in_grey_and_the_rest_is_not_changed() -> None:
    picture = torch.randint(0, 256, (3, 60, 80), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    before = picture.clone()
    hatch(picture, [(10, 20, 30, 40)])
    outside = torch.ones(60, 80, dtype=torch.bool)
    outside[10:40, 20:60] = False
    assert torch.equal(picture[:, outside], before[:, outside])
    inside = picture[:, 10:40, 20:60]
    assert torch.equal(inside[0], inside[1]) and torch.equal(inside[0], inside[2])
    assert int(inside.min()) >= 64 and int(inside.max()) <= 239


def test_stripes_are_diagonal_and_go_on_across_boxes() -> None:
    picture = torch.zeros(3, 64, 64, dtype=torch.uint8)
    hatch(picture, [(0, 0, 30, 64), (30, 0, 34, 64)])
    assert set(picture[0].flatten().tolist()) == {64, 112}
    assert torch.equal(picture[:, 1:, :-1], picture[:, :-1, 1:])


def test_without_boxes_nothing_is_drawn() -> None:
    picture = torch.full((3, 8, 8), 7, dtype=torch.uint8)
    hatch(picture, [])
    assert (picture == 7).all()
