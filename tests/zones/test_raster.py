import math
import random

import numpy as np
import pytest

from app.zones import Lattice, Zone, Zones, counted_points, factors

SIZE = (70, 50)


def star(draw_of: random.Random) -> tuple[tuple[float, float], ...]:
    """A ring around the middle of the picture, which does not cross itself, and surrounds the hole of `drawn`."""
    found = []
    for number in range(9):
        angle, reach = math.tau * (number + draw_of.uniform(0, 0.9)) / 9, draw_of.uniform(0.5, 1)
        found.append((25 + 24 * reach * math.cos(angle), 35 + 33 * reach * math.sin(angle)))
    return tuple(found)


def drawn() -> Zones:
    draw_of = random.Random(4)  # noqa: S311 - no secret
    hole = ((20.0, 30.0), (28.0, 30.0), (28.0, 38.0), (20.0, 38.0))
    rings = [star(draw_of) for _ in range(4)]
    zones = (
        Zone("a", ((rings[0], hole),), 2.0, 4.0),
        Zone("b", ((rings[1],),), 0.5, 0.5),
        Zone("c", ((rings[2],),)),
        Zone("d", ((rings[3],),)),
    )
    return Zones(SIZE, zones)


def test_points_have_the_factor_of_the_zone_that_decides_there() -> None:
    zones, size = drawn(), (140, 150)
    whole = factors(zones, Lattice.of_pixels(range(140), range(150), size), "pixel")
    assert whole is not None
    for row in range(0, 140, 3):
        for column in range(0, 150, 3):
            (zone,) = zones.at([(row, column)], size)
            expected = 1.0 if zone is None else 0.0 if zone.pixel_multiple is None else 1 / zone.pixel_multiple
            assert whole[row, column] == np.float32(expected)


def test_a_part_of_the_points_has_the_same_factors_as_all() -> None:
    zones, size = drawn(), (140, 150)
    whole = factors(zones, Lattice.of_pixels(range(140), range(150), size), "image")
    part = factors(zones, Lattice.of_pixels(range(31, 77), range(44, 101), size), "image")
    assert whole is not None and part is not None
    np.testing.assert_array_equal(part, whole[31:77, 44:101])
    assert factors(zones, Lattice.of_pixels(range(2), range(2), size), "image") is None


def test_points_that_are_ignored_by_several_zones_are_counted_once() -> None:
    lattice = Lattice.of_pixels(range(10, 120), range(20, 140), (140, 150))
    found = factors(drawn(), lattice, "pixel")
    assert found is not None
    assert counted_points(drawn(), lattice) == np.count_nonzero(found)


@pytest.mark.parametrize("edge", range(65, 73))  # the last cell begins at 64; its centre may lie on the edge
def test_cells_that_reach_beyond_the_picture_belong_to_the_zone_of_what_they_show(edge: int) -> None:
    size = (edge, edge)
    everywhere = Zones(size, (Zone("all", ((((0, 0), (edge, 0), (edge, edge), (0, edge)),),)),))
    lattice = Lattice.of_cells(range(9), range(9), size, (1 / 8, 1 / 8))
    found = factors(everywhere, lattice, "image")
    assert found is not None and not found.any() and counted_points(everywhere, lattice) == 0
