from dataclasses import replace

import pytest

from app.errors import UnsupportedImport
from app.importing.reference import PostProcessing, RecordedTiler, ReferenceModel
from app.importing.tiling import chosen_tiling, differences
from app.tiling import Tiling

TILER = RecordedTiler((64, 32), (32, 32), 0, "interpolation")
CHECKPOINT = ReferenceModel("checkpoint", "padim", {}, {}, (), PostProcessing(), None, False, ())
EXPORTED = replace(CHECKPOINT, tiler=TILER, tiler_is_recorded=True)
GIVEN = Tiling(tile_size=128)


def test_a_checkpoint_without_a_tiling_is_not_tiled_and_the_words_are_loud() -> None:
    tiling, told, assumed = chosen_tiling(CHECKPOINT, None)
    assert not tiling.enable
    assert told == "tiling: none"
    assert "NO TILING" in assumed[0] and "--tiling.tile_size" in assumed[0]


def test_a_given_tiling_is_used() -> None:
    assert chosen_tiling(CHECKPOINT, GIVEN) == (
        GIVEN,
        "tiling: 128 x 128 tiles, 128 x 128 apart, padding, as given",
        (),
    )


def test_a_recorded_tiling_is_used() -> None:
    tiling, _, assumed = chosen_tiling(EXPORTED, None)
    assert tiling == Tiling(True, [64, 32], 32, 0, "interpolation")
    assert not assumed
    assert chosen_tiling(replace(EXPORTED, tiler=None), None) == (Tiling(enable=False), "tiling: none", ())


def test_a_given_tiling_comes_before_the_recorded_one_which_is_told() -> None:
    tiling, _, assumed = chosen_tiling(EXPORTED, GIVEN)
    assert tiling == GIVEN
    assert assumed == ("tiling: the file says otherwise (tiles [64, 32], stride [32, 32], 'interpolation')",)
    assert chosen_tiling(EXPORTED, Tiling(True, [64, 32], 32, 0, "interpolation"))[2] == ()
    assert "otherwise (none)" in chosen_tiling(replace(EXPORTED, tiler=None), GIVEN)[2][0]
    assert chosen_tiling(replace(EXPORTED, tiler=None), Tiling(enable=False))[2] == ()


def test_a_given_border_is_told_to_be_another() -> None:
    assert "in pixels here" in chosen_tiling(CHECKPOINT, Tiling(tile_size=64, remove_border_count=8))[2][0]


@pytest.mark.parametrize(
    ("tiler", "message"),
    [
        (replace(TILER, remove_border_count=2), "borders of 2 cells, which leaves holes"),
        (replace(TILER, stride=(None, None)), "no tile size or stride"),
        (replace(TILER, tile_size=("64", 32)), "no tile size or stride"),
        (replace(TILER, mode="average"), "the mode 'average'; padding and interpolation"),
        (replace(TILER, stride=(128, 32)), "cannot be reproduced: stride height 128 is larger"),
        (replace(TILER, tile_size=(0, 32)), "cannot be reproduced: tile_size"),
    ],
)
def test_a_recorded_tiling_that_cannot_be_had_is_refused(tiler: RecordedTiler, message: str) -> None:
    with pytest.raises(UnsupportedImport, match=message):
        chosen_tiling(replace(EXPORTED, tiler=tiler), None)


def test_where_maps_differ_from_anomalib_s_is_told() -> None:
    assert differences(Tiling(tile_size=32), (64, 96)) == ()
    assert differences(Tiling(enable=False), (65, 96)) == ()
    assert differences(Tiling(tile_size=32), None) == ()
    assert "65 x 96 pixels are not on the grid" in differences(Tiling(tile_size=32), (65, 96))[0]
    assert "enlarges features" in differences(Tiling(tile_size=32, mode="interpolation"), (64, 96))[0]
