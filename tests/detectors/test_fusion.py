"""Fusion: members on one scale, one backbone, and the rate of false alarms of the union."""

import pytest
import torch
from torch import Tensor

from app.detectors import Detector, Fusion, Patchcore, Subspace
from app.errors import InvalidParameter
from app.scoring import normal_threshold

CHANNELS, ROWS, COLUMNS = 64, 12, 16
OPTIONS = {"patchcore": {"coreset_sampling_ratio": 0.1}, "subspace": {"explained_variance": 0.9}}


def fusion() -> Fusion:
    torch.manual_seed(0)
    return Fusion("resnet18", ("layer1",), options=OPTIONS)


def pictures(count: int, seed: int = 0) -> Tensor:
    """[count,C,h,w]: patches that vary along a few directions, with a little noise along all of them."""
    generator = torch.Generator().manual_seed(seed)
    weights = torch.randn(count, 4, ROWS, COLUMNS, generator=generator)
    spread = torch.randn(CHANNELS, 4, generator=torch.Generator().manual_seed(9))
    normal = torch.einsum("cd,ndhw->nchw", spread, weights)
    return normal + 0.1 * torch.randn(normal.shape, generator=generator)


def fit(detector: Fusion, normal: Tensor) -> None:
    fitter = detector.fitter(len(normal), (ROWS, COLUMNS))
    for picture in normal:
        for top in range(0, ROWS, 5):
            fitter.add((picture[:, top : top + 5],), top)
    fitter.finish(lambda *_: None)


def distances(detector: Detector, embeddings: Tensor) -> Tensor:
    return detector.measure((embeddings,), [(0, 0)] * len(embeddings)).distances[0]


def members(detector: Fusion) -> tuple[Patchcore, Subspace]:
    patchcore, subspace = detector.combined.values()
    assert isinstance(patchcore, Patchcore) and isinstance(subspace, Subspace)
    return patchcore, subspace


def scaled(detector: Fusion, embeddings: Tensor) -> list[Tensor]:
    """The distances of each member, on the common scale."""
    return [
        distances(member, embeddings) / scale for member, scale in zip(members(detector), detector.scales, strict=True)
    ]


@pytest.fixture(scope="module")
def fitted() -> Fusion:
    detector = fusion()
    fit(detector, pictures(40))
    return detector


def test_a_distance_is_the_mean_of_the_members_distances_on_their_scales(fitted: Fusion) -> None:
    other = pictures(2, seed=1)
    found = torch.stack(scaled(fitted, other))
    torch.testing.assert_close(distances(fitted, other), found.mean(0))


def test_members_are_fitted_as_if_they_were_alone(fitted: Fusion) -> None:
    alone = Subspace("resnet18", ("layer1",), explained_variance=0.9)
    fitter = alone.fitter(40, (ROWS, COLUMNS))
    for picture in pictures(40):
        fitter.add((picture,), 0)
    fitter.finish(lambda *_: None)
    patchcore, subspace = members(fitted)
    torch.testing.assert_close(distances(subspace, pictures(1, 2)), distances(alone, pictures(1, 2)), rtol=1e-3, atol=0)
    assert len(patchcore.memory_bank) == 40 * ROWS * COLUMNS // 10


def test_one_in_1000_cells_of_new_normal_pictures_exceeds_each_scale(fitted: Fusion) -> None:
    other = pictures(200, seed=1)  # 38400 cells
    for found in scaled(fitted, other):
        share = (found > 1).float().mean()
        assert 0.0003 < share < 0.003


def test_scales_are_measured_by_members_that_were_not_fitted_to_the_pictures() -> None:
    """With a bank of all patches, patches that were fitted to have no distance at all."""
    detector = Fusion("resnet18", ("layer1",), options={"patchcore": {"coreset_sampling_ratio": 1.0}})
    fit(detector, pictures(20))
    patchcore, _ = members(detector)
    assert distances(patchcore, pictures(20)).amax() < 0.01 * detector.scales[0]


def test_the_union_keeps_the_rate_of_false_alarms_and_every_member_takes_part(fitted: Fusion) -> None:
    scores = distances(fitted, pictures(199, seed=1)).amax((1, 2))
    threshold = normal_threshold(scores.tolist(), 0.05)
    new = pictures(1000, seed=2)
    assert 20 <= int((distances(fitted, new).amax((1, 2)) > threshold).sum()) <= 90  # of 1000; 50 expected
    by_patchcore, by_subspace = (found.amax((1, 2)) for found in scaled(fitted, new))
    assert 0.1 < float((by_patchcore > by_subspace).float().mean()) < 0.9


def test_a_defect_that_one_member_misses_is_found_by_the_union(fitted: Fusion) -> None:
    """Off the subspace, but near a patch of the bank; within the subspace, but far from all patches."""
    patchcore, subspace = members(fitted)
    off = patchcore.memory_bank[:1] + 3 * subspace.axes[:, -1]
    within = (subspace.mean + 9 * subspace.variances[0].sqrt() * subspace.axes[:, 0])[None]
    defects = torch.cat([off, within]).view(2, CHANNELS, 1, 1)
    by_patchcore, by_subspace = (found.flatten() for found in scaled(fitted, defects))
    assert by_patchcore[0] < 1 < by_subspace[0]
    assert by_subspace[1] < 1 < by_patchcore[1]
    assert (distances(fitted, defects) > 1).all()


def test_without_a_fold_the_members_are_those_without_the_fold() -> None:
    detector, normal = fusion(), pictures(20)
    fitter = detector.fitter(20, (ROWS, COLUMNS))
    for picture in normal:
        fitter.add((picture,), 0)
    fitter.finish(lambda *_: None)
    before = distances(detector, normal[:2])
    fold = fitter.folds(20)[0]
    left_out = fitter.without(fold)
    assert isinstance(left_out, Fusion)
    assert torch.equal(left_out.scales, detector.scales)
    assert left_out.backbone is detector.backbone
    assert len(members(left_out)[0].memory_bank) < len(members(detector)[0].memory_bank)
    assert not torch.equal(members(left_out)[1].mean, members(detector)[1].mean)
    left = normal[fold.start : fold.stop]
    assert distances(left_out, left).mean() > distances(detector, left).mean()
    assert torch.equal(distances(detector, normal[:2]), before)
    assert sorted(number for each in fitter.folds(17) for number in each) == list(range(17))


def test_one_picture_is_enough() -> None:
    detector = fusion()
    fit(detector, pictures(1))
    assert distances(detector, pictures(1, seed=1)).isfinite().all()


def test_patches_that_do_not_vary_have_a_scale() -> None:
    detector = fusion()
    fit(detector, torch.full((3, CHANNELS, ROWS, COLUMNS), 5.0))
    assert distances(detector, torch.full((1, CHANNELS, ROWS, COLUMNS), 6.0)).isfinite().all()


def test_the_state_holds_the_backbone_once(fitted: Fusion) -> None:
    assert all(member.backbone is fitted.backbone for member in members(fitted))
    alone = Patchcore("resnet18", ("layer1",))
    networks = [[key for key in each.state_dict() if "backbone." in key] for each in (fitted, alone)]
    assert networks[0] == networks[1]


def test_a_restored_fusion_searches_and_measures_like_the_original(fitted: Fusion) -> None:
    restored = Fusion(**fitted.parameters_of_model)  # type: ignore[arg-type]  # a dictionary of any values
    restored.load_fitted_state(fitted.state_dict())
    assert restored.parameters_of_model == fitted.parameters_of_model
    assert torch.equal(distances(restored, pictures(1, 3)), distances(fitted, pictures(1, 3)))
    assert restored.search == fitted.search
    assert fitted.search is not None


@pytest.mark.parametrize(
    ("members", "options", "message"),
    [
        (("patchcore", "padim"), {}, "'padim'.*patchcore, subspace"),
        (("patchcore",), {}, "two or more"),
        (("subspace", "subspace"), {}, "each once"),
        (("patchcore", "subspace"), {"padim": {}}, "'padim'.*no member"),
        (("patchcore", "subspace"), {"subspace": {"num_neighbors": 3}}, "num_neighbors.*explained_variance"),
        (("patchcore", "subspace"), {"subspace": {"backbone": "resnet34"}}, "share"),
        (("patchcore", "subspace"), {"subspace": {"explained_variance": 2}}, "explained_variance is 2"),
        (("patchcore", "subspace"), {"patchcore": {"coreset_sampling_ratio": "a"}}, "patchcore.*wrong type"),
    ],
)
def test_members_and_options_that_cannot_work_are_refused(
    members: tuple[str, ...], options: dict[str, dict[str, float]], message: str
) -> None:
    with pytest.raises(InvalidParameter, match=message):
        Fusion("resnet18", ("layer1",), members, options)
