import pytest
import torch
from torch import Tensor

from app.detectors import Patchcore, SearchMode
from app.errors import InvalidParameter


def patchcore(**parameters: float) -> Patchcore:
    return Patchcore("resnet18", ("layer1",), **parameters)  # type: ignore[arg-type]  # all of them are numbers


def fit(detector: Patchcore, pictures: Tensor, rows_at_once: int = 2) -> None:
    fitter = detector.fitter(len(pictures), (pictures.shape[2], pictures.shape[3]))
    for picture in pictures:
        for top in range(0, picture.shape[1], rows_at_once):
            fitter.add((picture[:, top : top + rows_at_once],), top)
    fitter.finish(lambda *_: None)


def test_the_bank_is_the_ratio_of_all_patches() -> None:
    detector = patchcore(coreset_sampling_ratio=0.25)
    fit(detector, torch.randn(3, 64, 6, 4))
    assert detector.memory_bank.shape == (18, 64)


def test_distances_are_those_to_the_bank() -> None:
    detector, query = patchcore(), torch.randn(64, 3, 5)
    detector.memory_bank = torch.randn(40, 64)
    (found,) = detector.measure((query[None],), [(0, 0)]).distances
    expected = torch.cdist(query.flatten(1).T, detector.memory_bank).amin(1)
    torch.testing.assert_close(found, expected.reshape(1, 3, 5), rtol=1e-4, atol=0)


def test_the_score_weighs_the_largest_distance_of_all_bands() -> None:
    """The expected score follows the text of Roth et al. 2022, equations 6 and 7."""
    detector, query = patchcore(num_neighbors=4), torch.randn(64, 6, 5)
    detector.memory_bank = torch.randn(40, 64)
    bands = [detector.measure((query[None, :, top : top + 2],), [(4 * top, 0)]) for top in (0, 2, 4)]
    score = detector.image_score(torch.zeros(1), [band.score_input for band in bands])

    distances = torch.cdist(query.flatten(1).T, detector.memory_bank)
    farthest = int(distances.amin(1).argmax())
    closest = detector.memory_bank[distances[farthest].argmin()]
    around = torch.linalg.vector_norm(detector.memory_bank - closest, dim=1).argsort()[:4]
    exponentials = distances[farthest, around].exp()
    expected = (1 - exponentials[0] / exponentials.sum()) * distances[farthest].min()
    torch.testing.assert_close(score, expected, rtol=1e-4, atol=0)


def test_with_one_neighbour_the_score_is_the_largest_distance() -> None:
    detector, query = patchcore(num_neighbors=1), torch.randn(64, 6, 5)
    detector.memory_bank = torch.randn(40, 64)
    measurement = detector.measure((query[None],), [(0, 0)])
    assert detector.image_score(torch.zeros(1), [measurement.score_input]) == measurement.distances[0].max()


def test_a_rare_normal_patch_survives_a_full_store() -> None:
    """1 MiB holds 4,096 of the 25,600 patches; the only one that is far from all others must be among them."""
    pictures = torch.randn(10, 64, 64, 40)
    pictures[3, :, 20, 7] += 50
    detector = patchcore(max_store_mib=1, coreset_sampling_ratio=0.01)
    fit(detector, pictures, rows_at_once=8)
    assert len(detector.memory_bank) == 256
    nearest = torch.linalg.vector_norm(detector.memory_bank - pictures[3, :, 20, 7], dim=1).min()
    assert nearest == 0


def test_the_store_does_not_grow_with_the_number_of_pictures() -> None:
    detector = patchcore(max_store_mib=1, coreset_sampling_ratio=0.001)
    assert detector.fitting_memory(2000, (64, 64)) <= 1.2 * detector.fitting_memory(1000, (64, 64))


def test_a_full_store_has_at_most_sixteen_patches_for_each_row_of_the_bank() -> None:
    """The bank has 10 rows of each picture, the store 160, though there is room for 409."""
    detector = patchcore(max_store_mib=1, coreset_sampling_ratio=10 / 2560)
    fitter = detector.fitter(10, (64, 40))
    fitter.add((torch.randn(64, 64, 40),), 0)
    state = fitter.state()
    assert state is not None
    assert len(state["patches"]) == 160


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"coreset_sampling_ratio": 0.0}, "coreset_sampling_ratio is 0.0"),
        ({"coreset_sampling_ratio": 1.1}, "coreset_sampling_ratio is 1.1"),
        ({"num_neighbors": 0}, "num_neighbors is 0"),
    ],
)
def test_invalid_parameters_are_refused(parameters: dict[str, float], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        patchcore(**parameters)


def test_a_ratio_that_leaves_no_patch_is_refused_with_the_smallest_possible_one() -> None:
    with pytest.raises(InvalidParameter, match=r"0\.042"):
        fit(patchcore(coreset_sampling_ratio=0.01), torch.randn(1, 64, 6, 4))


@pytest.mark.parametrize("rows", [40, 2000])
def test_distances_follow_changes_of_the_bank(rows: int) -> None:
    detector, query = patchcore(), torch.randn(64, 3, 5)
    for bank in (torch.randn(rows, 64), torch.randn(rows, 64)):
        detector.memory_bank = bank
        detector.measure((query[None],), [(0, 0)])
        bank.add_(1.0)
        (found,) = detector.measure((query[None],), [(0, 0)]).distances
        expected = torch.cdist(query.flatten(1).T, bank).amin(1)
        torch.testing.assert_close(found, expected.reshape(1, 3, 5), rtol=1e-4, atol=0)


def test_features_may_be_of_half_precision_and_channels_last() -> None:
    detector, query = patchcore(), torch.randn(3, 5, 64).bfloat16().permute(2, 0, 1)
    detector.memory_bank = torch.randn(2000, 64)
    measurement = detector.measure((query[None],), [(0, 0)])
    expected = torch.cdist(query.flatten(1).T.float(), detector.memory_bank).amin(1)
    torch.testing.assert_close(measurement.distances[0], expected.reshape(1, 3, 5), rtol=1e-4, atol=0)
    assert detector.image_score(torch.zeros(1), [measurement.score_input]).dtype == torch.float32


def test_the_search_adds_nothing_to_the_fitted_state() -> None:
    detector = patchcore()
    detector.memory_bank = torch.randn(2000, 64)
    before = set(detector.state_dict())
    detector.choose_search(SearchMode.approximate)
    detector.measure((torch.randn(1, 64, 3, 5),), [(0, 0)])
    assert set(detector.state_dict()) == before
    assert "search" not in detector.parameters_of_model
