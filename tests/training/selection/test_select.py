"""The choice of a detector finds the better one, and candidates that share work measure as if they were alone."""

from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.data import Folder, decoded
from app.detectors import Detector, Padim, Patchcore, Subspace, with_thumbnail
from app.detectors.thumbnail import WithThumbnail
from app.errors import InvalidTraining, InvalidWeights
from app.pipeline import Preprocessing, Roi, predict
from app.scoring import ScoreRule
from app.tiling import Tiling
from app.training import Recipe, plan_training
from app.training.selection import CANDIDATES, Auto, Candidate, Selection, select
from app.training.selection.framing import against_thumbnail
from app.training.selection.region import Region
from app.training.selection.select import window
from app.training.selection.sharing import Made, shared
from app.training.selection.trial import Trial
from app.training.selection.trial_defects import DEFECTS, fitting, planned
from tests.conftest import draw_surface
from tests.detectors.test_new_detector import Colours

CPU = torch.device("cpu")
TILING = Tiling(tile_size=64)
SEEING, BLIND = Candidate("seeing", Colours), Candidate("blind", partial(Colours, 0.0))


@pytest.fixture
def surfaces(tmp_path: Path) -> Path:
    folder = tmp_path / "surfaces"
    folder.mkdir()
    for number in range(10):
        Image.fromarray(draw_surface(number)).save(folder / f"{number}.png")
    return folder


def chosen(surfaces: Path, *candidates: Candidate) -> Selection:
    data = Folder(str(surfaces), num_workers=0)

    def recipe(detector: Detector) -> Recipe:
        return Recipe(detector, data, TILING, seed=0)

    return select(candidates, recipe, CPU, 0, lambda *_: None)


def unavailable() -> Colours:
    raise InvalidWeights("these weights are not installed")


def test_a_clearly_better_candidate_is_chosen_and_the_first_of_two_equal_ones(surfaces: Path) -> None:
    for number in range(10, 40):
        Image.fromarray(draw_surface(number)).save(surfaces / f"{number}.png")
    found = chosen(surfaces, BLIND, SEEING)
    assert found.candidate is SEEING
    assert isinstance(found.detector, Colours) and found.detector.weight == 1
    assert [record.chosen for record in found.tried] == [False, True]
    blind, seeing = found.tried
    assert blind.auroc == blind.pixel_auroc == 0.5
    assert seeing.auroc > 0.7
    assert chosen(surfaces, BLIND, SEEING).tried == found.tried
    equal = chosen(surfaces, SEEING, Candidate("dearer", partial(Colours, 2.0)))
    assert equal.candidate is SEEING


def test_the_chosen_patchcore_has_a_bounded_memory_bank(surfaces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patchcore = Candidate("patchcore", partial(Patchcore, pre_trained=False))
    unbounded = chosen(surfaces, patchcore).detector
    assert isinstance(unbounded, Patchcore) and unbounded.coreset_sampling_ratio == 0.1
    monkeypatch.setattr(import_module("app.training.selection.select"), "MOST_BANK_ROWS", 12)
    bounded = chosen(surfaces, patchcore).detector
    assert isinstance(bounded, Patchcore)
    pictures, cells = 10, 12 * 20  # of 96 x 160 pixels, 8 pixels each
    assert bounded.coreset_sampling_ratio == pytest.approx(12 / (pictures * cells))


def test_candidates_that_cannot_be_trained_are_left_out(surfaces: Path) -> None:
    Image.fromarray(draw_surface(1, 80, 80)).save(surfaces / "other.png")
    found = chosen(surfaces, Candidate("missing", unavailable), Candidate("PaDiM", Padim), SEEING)
    assert [record.name for record in found.tried] == ["seeing"]
    assert "not installed" in found.left_out["missing"]
    assert "one size" in found.left_out["PaDiM"]
    with pytest.raises(InvalidWeights, match="not installed"):
        chosen(surfaces, Candidate("missing", unavailable))


def test_with_thumbnails_only_detectors_that_measure_them_are_candidates(surfaces: Path) -> None:
    data, tiling = Folder(str(surfaces), num_workers=0), replace(TILING, thumbnail=True)
    candidates = [
        Candidate("padim", partial(Padim, layers=["layer1"], n_features=4, pre_trained=False)),
        Candidate("subspace", partial(Subspace, layers=["layer1"], pre_trained=False)),
    ]

    def recipe(detector: Detector) -> Recipe:
        return Recipe(with_thumbnail(detector, tiling), data, tiling, seed=0)

    found = select(candidates, recipe, CPU, 0, lambda *_: None)
    assert isinstance(found.detector, Subspace)
    assert list(found.left_out) == ["padim"] and "cannot measure thumbnails" in found.left_out["padim"]


@pytest.mark.parametrize(
    ("other", "tiling", "reason"),
    [
        ((96, 160), TILING, None),
        ((99, 158), TILING, None),
        ((80, 160), TILING, "different sizes"),
        ((96, 160), Tiling(tile_size=16), "factor of 10.0"),
        ((96, 160), Tiling(tile_size=160), "not larger than a tile"),
        ((96, 160), Tiling(enable=False), "not tiled"),
    ],
)
def test_auto_takes_thumbnails_of_pictures_in_one_framing(
    surfaces: Path, other: tuple[int, int], tiling: Tiling, reason: str | None
) -> None:
    Image.fromarray(draw_surface(1, *other)).save(surfaces / "other.png")
    recipe = Recipe(Subspace(layers=["layer1"], pre_trained=False), Folder(str(surfaces), num_workers=0), tiling)
    found = against_thumbnail(recipe.detector, tiling, plan_training(recipe, CPU))
    assert found is None if reason is None else found is not None and reason in found


@pytest.mark.parametrize("thumbnail", [True, False])
def test_the_recipe_of_auto_has_a_thumbnail_unless_it_is_left_out(surfaces: Path, thumbnail: bool) -> None:
    data = Folder(str(surfaces), num_workers=0)
    auto = Auto(["Subspace top"], thumbnail=thumbnail)
    recipe, _ = auto.recipe(lambda detector: Recipe(detector, data, TILING, seed=0), CPU, 0, lambda *_: None)
    assert recipe.tiling.thumbnail is thumbnail
    assert isinstance(recipe.detector, WithThumbnail) is thumbnail
    plan_training(recipe, CPU)


def test_too_few_or_too_small_pictures_are_refused(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(draw_surface(number)).save(tmp_path / f"{number}.png")
    with pytest.raises(InvalidTraining, match=r"at least 4 pictures.*there are"):
        chosen(tmp_path, SEEING)
    for number in range(10):
        Image.fromarray(draw_surface(number, 3, 40)).save(tmp_path / f"{number}.png")
    with pytest.raises(InvalidTraining, match="too small"):
        chosen(tmp_path, SEEING)


def test_candidates_that_share_a_backbone_measure_as_if_alone(surfaces: Path) -> None:
    made = [
        *(Made(_named(rule), Patchcore(score=rule), Preprocessing((96, 160)), (12, 20)) for rule in ScoreRule),
        Made(_named("subspace"), Subspace(), Preprocessing((96, 160)), (12, 20)),
        Made(_named("padim"), Padim(n_features=8), Preprocessing((96, 160)), (24, 40)),
    ]
    (source,) = shared(made, TILING, CPU)
    assert [len(group.members) for group in source.groups] == [1, 3, 1]  # the widest network first
    paths = sorted(surfaces.glob("*.png"))
    trial = Trial([source], 4, 0)
    trial.fit(decoded(paths[:6], 0), 6, lambda *_: None)
    trial.measure(decoded(paths[6:8], 0), 2, lambda *_: None)
    picture = next(decoded(paths[9:], 0))
    with torch.inference_mode():
        together = {group: scored.anomaly_map for group, scored in trial._run(source, picture)}
    for group, shown in together.items():
        group.detector.load_weights()
        torch.testing.assert_close(shown, predict(group.model, picture).anomaly_map, rtol=1e-4, atol=1e-4)
    results, tested = trial.results()
    assert len(results) == 5
    assert np.bincount(tested.owners).tolist() == [DEFECTS // 2, DEFECTS // 2]
    (_, by_map, _), (_, by_top, _) = results[2], results[3]
    assert (by_map != by_top).any()  # rules differ in what they make of the same maps


def _named(name: str) -> Candidate:
    return Candidate(name, Colours)


@pytest.mark.parametrize("size", [(96, 160), (40, 300), (3, 30), (600, 700)])
def test_defects_vary_and_fit_into_the_picture(size: tuple[int, int]) -> None:
    found = [fitting(defect, *size) for defect in planned(2 * DEFECTS, torch.Generator().manual_seed(0))]
    assert len({(defect.kind, defect.contrast) for defect in found}) == DEFECTS // 5
    assert len({defect.diameter for defect in found}) == {96: 2, 40: 1, 3: 1, 600: 5}[size[0]]
    assert all(defect.diameter <= 0.3 * min(size) for defect in found) or size == (3, 30)
    kinds = [defect.kind for defect in found[:12]]
    assert len(set(kinds)) > 4  # of one picture


def test_a_region_without_a_defect_measures_as_before(surfaces: Path) -> None:
    made = [
        Made(_named("patchcore"), Patchcore(score=ScoreRule.top), Preprocessing((96, 160)), (12, 20)),
        Made(_named("padim"), Padim(n_features=8), Preprocessing((96, 160)), (24, 40)),
    ]
    (source,) = shared(made, TILING, CPU)
    paths = sorted(surfaces.glob("*.png"))
    trial = Trial([source], 4, 0)
    trial.fit(decoded(paths[:6], 0), 6, lambda *_: None)
    picture, roi = next(decoded(paths[9:], 0)), Roi(20, 30, 50, 70)
    with torch.inference_mode():
        for group, whole in trial._run(source, picture):
            prepared = source.model.prepare(picture, roi, source.plan(96, 160, roi))
            region = Region(group, prepared, whole.distances)
            for rows, place in trial.rows(group, picture, roi):
                region.add(rows, *place)
            expected = whole.anomaly_map[roi.top : 70, roi.left : 100]
            torch.testing.assert_close(region.finish().anomaly_map, expected, rtol=1e-4, atol=1e-4)


def test_large_pictures_are_tried_in_windows_of_whole_tiles() -> None:
    generator = torch.Generator().manual_seed(0)
    assert window(torch.zeros(3, 640, 300), TILING, generator).shape == (3, 256, 256)
    assert window(torch.zeros(3, 64, 2000), TILING, generator).shape == (3, 64, 256)
    small = torch.zeros(3, 100, 300)
    assert window(small, TILING, generator) is small
    assert window(torch.zeros(3, 640, 300), Tiling(enable=False), generator).shape == (3, 640, 300)


def test_names_of_candidates_are_distinct_and_unknown_ones_are_refused() -> None:
    names = [candidate.name for candidate in CANDIDATES]
    assert len(set(names)) == len(names) <= 64  # the limit of the manifest
    assert Auto().candidates == CANDIDATES
    assert [candidate.name for candidate in Auto([names[3], names[1]]).candidates] == [names[1], names[3]]
    with pytest.raises(InvalidTraining, match="oracle"):
        Auto(["oracle"])
    with pytest.raises(InvalidTraining, match="none"):
        Auto([])
