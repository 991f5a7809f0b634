from dataclasses import replace

import pytest

from app.errors import UnsupportedImport
from app.importing.reference import PostProcessing, RecordedTiler, ReferenceModel
from app.importing.tiling import chosen_tiling, differences
from app.tiling import Tiling, TilingMode

TILER = RecordedTiler((64, 32), (32, 32), 0, "interpolation")
CHECKPOINT = ReferenceModel("checkpoint", "padim", {}, {}, (), PostProcessing(), None, False, ())
EXPORTED = replace(CHECKPOINT, tiler=TILER, tiler_is_recorded=True)
GIVEN = Tiling(tile_size=128)


def test_a_given_tiling_is_used() -> None:
    tiling, summary, assumed = chosen_tiling(CHECKPOINT, GIVEN)
    assert tiling == GIVEN
    assert summary.count("128 x 128") == 2 and "padding" in summary
    assert not assumed


def test_a_recorded_tiling_is_used() -> None:
    tiling, _, assumed = chosen_tiling(EXPORTED, None)
    assert tiling == Tiling(True, [64, 32], 32, 0, TilingMode.interpolation)
    assert not assumed
    tiling, summary, assumed = chosen_tiling(replace(EXPORTED, tiler=None), None)
    assert tiling == Tiling(enable=False) and "none" in summary and not assumed


def test_a_given_tiling_overrides_the_recorded_one_and_the_difference_is_reported() -> None:
    tiling, _, assumed = chosen_tiling(EXPORTED, GIVEN)
    assert tiling == GIVEN
    (note,) = assumed
    assert all(value in note for value in ("[64, 32]", "[32, 32]", "'interpolation'"))
    assert chosen_tiling(EXPORTED, Tiling(True, [64, 32], 32, 0, TilingMode.interpolation))[2] == ()
    assert "(none)" in chosen_tiling(replace(EXPORTED, tiler=None), GIVEN)[2][0]
    assert chosen_tiling(replace(EXPORTED, tiler=None), Tiling(enable=False))[2] == ()


def test_a_thumbnail_is_refused() -> None:
    with pytest.raises(UnsupportedImport, match=r"fitted without thumbnails.*--tiling\.thumbnail"):
        chosen_tiling(EXPORTED, replace(GIVEN, thumbnail=True))


def test_a_given_border_is_reported_to_differ() -> None:
    assert "remove_border_count" in chosen_tiling(CHECKPOINT, Tiling(tile_size=64, remove_border_count=8))[2][0]


@pytest.mark.parametrize(
    ("tiler", "message"),
    [
        (replace(TILER, remove_border_count=2), "borders of 2 "),
        (replace(TILER, stride=(None, None)), "no tile size"),
        (replace(TILER, tile_size=("64", 32)), "no tile size"),
        (replace(TILER, mode="average"), "'average'"),
        (replace(TILER, stride=(128, 32)), "stride height 128"),
        (replace(TILER, tile_size=(0, 32)), r"tile_size is \(0, 32\)"),
    ],
)
def test_a_recorded_tiling_that_cannot_be_reproduced_is_refused(tiler: RecordedTiler, message: str) -> None:
    with pytest.raises(UnsupportedImport, match=message):
        chosen_tiling(replace(EXPORTED, tiler=tiler), None)


def test_differences_from_anomalibs_maps_are_reported() -> None:
    assert differences(Tiling(tile_size=32), (64, 96)) == ()
    assert differences(Tiling(enable=False), (65, 96)) == ()
    assert differences(Tiling(tile_size=32), None) == ()
    assert "65 x 96" in differences(Tiling(tile_size=32), (65, 96))[0]
    assert TilingMode.interpolation in differences(Tiling(tile_size=32, mode=TilingMode.interpolation), (64, 96))[0]
