"""Synthetic defects have the diameter, the contrast and the mask that they are said to have."""

import pytest
import torch
from torch import Generator, Tensor

from app.synthesis import KINDS, Defect, add_defect, scattered, shapes
from app.synthesis.defects import VISIBLE

SCALED = [name for name, kind in KINDS.items() if kind.is_scaled]
TEXTURE = [name for name, kind in KINDS.items() if not kind.is_scaled]

PLACE = 24, 40


def seeded(seed: int = 0) -> Generator:
    return Generator().manual_seed(seed)


def surface(dtype: torch.dtype = torch.uint8, channels: int = 3) -> Tensor:
    """A rough picture [C,144,160] with a standard deviation of 5 of 255 grey levels."""
    noise = 128 + 5 * torch.randn(channels, 144, 160, generator=seeded(9))
    return (noise * (257 if dtype == torch.uint16 else 1)).round().to(dtype)


@pytest.mark.parametrize(
    ("dtype", "channels"), [(torch.uint8, 3), (torch.uint8, 1), (torch.uint16, 3), (torch.uint16, 1)]
)
@pytest.mark.parametrize("diameter", [4, 8, 16, 32, 64])
@pytest.mark.parametrize("kind", SCALED)
def test_a_defect_has_its_diameter_and_contrast(kind: str, diameter: int, dtype: torch.dtype, channels: int) -> None:
    before = surface(dtype, channels)
    after = before.clone()
    mask = add_defect(after, Defect(kind, diameter, 4.0), PLACE, seeded())

    assert after.dtype == dtype
    assert mask.shape == (diameter, diameter)
    rows, columns = mask.nonzero().T
    extent = 1 + max(int(rows.max() - rows.min()), int(columns.max() - columns.min()))
    assert extent >= (0.6 if kind == "band" else 0.75) * diameter
    change = after.float() - before.float()
    square = change[:, PLACE[0] : PLACE[0] + diameter, PLACE[1] : PLACE[1] + diameter]
    strength = float(square[:, mask].square().mean().sqrt() / before.float().std())
    assert strength == pytest.approx(4.0, rel=0.15)
    assert square[:, ~mask].abs().sum() <= VISIBLE * 2 * square[:, mask].abs().amax() * channels * (~mask).sum()
    square.zero_()
    assert change.count_nonzero() == 0  # nothing outside the square changes


@pytest.mark.parametrize("kind", TEXTURE)
@pytest.mark.parametrize("diameter", [8, 32, 64])
def test_a_change_of_texture_is_visible_and_stays_in_its_square(kind: str, diameter: int) -> None:
    changes = []
    for contrast in (0.5, 2.0):
        before = surface()
        before[:, ::3] += 20
        after = before.clone()
        mask = add_defect(after, Defect(kind, diameter, contrast), PLACE, seeded())
        change = after.float() - before.float()
        square = change[:, PLACE[0] : PLACE[0] + diameter, PLACE[1] : PLACE[1] + diameter]
        changes.append(float(square[:, mask].abs().mean()))
        square.zero_()
        assert change.count_nonzero() == 0
    assert min(changes) > 1.0
    assert kind == "warped" or changes[0] < changes[1]


def test_a_crack_is_thin_and_long_and_its_width_varies() -> None:
    for seed in range(8):
        opacity = shapes.crack(128, seeded(seed))
        core = opacity > 0.5
        rows, columns = core.nonzero().T
        assert max(int(rows.max() - rows.min()), int(columns.max() - columns.min())) > 96
        assert float(core.float().mean()) < 0.08
        edge = (opacity > 0.05) & (opacity < 0.5)
        assert int(edge.sum()) > 0.5 * int(core.sum())  # soft


@pytest.mark.parametrize("kind", SCALED)
@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_flat_picture_is_changed_even_at_the_ends_of_the_range(kind: str, level: int) -> None:
    flat = torch.full((3, 64, 64), level, dtype=torch.uint8)
    add_defect(flat, Defect(kind, 16, 4.0), (8, 8), seeded())

    assert (flat != level).any()


def test_a_seed_determines_a_defect() -> None:
    found = []
    for seed in (1, 1, 2):
        picture = surface()
        add_defect(picture, Defect("stain", 32, 3.0), PLACE, seeded(seed))
        found.append(picture)

    assert torch.equal(found[0], found[1])
    assert not torch.equal(found[0], found[2])


@pytest.mark.parametrize("size", [(200, 300), (300, 90)])
def test_places_are_within_the_picture_and_apart(size: tuple[int, int]) -> None:
    height, width = size
    diameters = [64, 32, 16, 8, 4]
    for seed in range(20):
        places = scattered(height, width, diameters, 20, seeded(seed))
        boxes = [(*place, edge) for place, edge in zip(places, diameters, strict=True) if place is not None]
        assert places[0] is not None
        for number, (top, left, edge) in enumerate(boxes):
            assert 0 <= top <= height - edge and 0 <= left <= width - edge
            for y, x, other in boxes[:number]:
                assert max(top - (y + other), y - (top + edge), left - (x + other), x - (left + edge)) >= 20


def test_a_square_without_room_has_no_place() -> None:
    assert scattered(40, 40, [41, 40, 4], 10, seeded())[0] is None
    first, second = scattered(40, 40, [40, 4], 10, seeded())
    assert first == (0, 0)
    assert second is None
