"""The layout of small pictures: a mean for each place, one covariance, and any fold left out."""

import pytest
import torch
from torch import Tensor

from app.detectors.layout import Layout, LayoutFitter, LayoutUpdate
from app.errors import InvalidDataset, NotTeachable

CHANNELS, ROWS, COLUMNS = 6, 5, 7


def pictures(count: int, seed: int = 0, rows: int = ROWS, columns: int = COLUMNS) -> Tensor:
    """[count,C,rows,columns]: a mean that depends on the place, and noise that is larger in some channels."""
    generator = torch.Generator().manual_seed(seed)
    y, x = torch.meshgrid((torch.arange(rows) + 0.5) / rows, (torch.arange(columns) + 0.5) / columns, indexing="ij")
    mean = torch.stack([torch.sin(number * y + x) for number in range(CHANNELS)])
    scale = torch.linspace(0.1, 2, CHANNELS)[:, None, None]
    return 100 + 20 * mean + scale * torch.randn(count, CHANNELS, rows, columns, generator=generator)


def fitted(normal: Tensor, expected: int | None = None) -> LayoutFitter:
    fitter = LayoutFitter(CHANNELS, expected or len(normal), normal.device)
    for picture in normal:
        fitter.add(picture)
    return fitter


def test_the_distance_is_a_mahalanobis_distance_from_the_mean_of_the_place() -> None:
    normal, other = pictures(30), pictures(1, seed=1)
    layout = fitted(normal).fit()
    mean = normal.double().mean(0)
    deviations = (normal.double() - mean).movedim(1, -1).flatten(0, 2)
    covariance = deviations.T @ deviations / (len(deviations) - ROWS * COLUMNS)
    average = covariance.trace() / CHANNELS
    shrunk = 0.9 * covariance + 0.1 * average * torch.eye(CHANNELS)
    offset = (other[0].double() - mean).flatten(1).T
    expected = (offset @ torch.linalg.inv(shrunk) * offset).sum(1).mul(average).sqrt()
    torch.testing.assert_close(layout(other)[0].flatten(), expected.float(), rtol=1e-3, atol=1e-3)


def test_what_is_normal_at_one_place_is_not_at_another() -> None:
    layout = fitted(pictures(30)).fit()
    normal = pictures(1, seed=1)
    moved = normal.flip(-1)
    assert layout(moved)[0, 0, 0] > 5 * layout(normal)[0, 0, 0]


@pytest.mark.parametrize("count", [3, 7, 24])
def test_a_layout_without_a_fold_is_that_of_the_others(count: int) -> None:
    normal, other = pictures(count), pictures(2, seed=1)
    fitter = fitted(normal)
    fold = range(count // 2, count // 2 + 1) if count <= 10 else range(2, 4)
    kept = torch.cat([normal[: fold.start], normal[fold.stop :]])
    folds = {3: range(1, 2), 7: range(3, 4), 24: range(2, 4)}
    assert folds[count] == fold
    found, expected = fitter.fit(fold), fitted_without_folds(kept)
    torch.testing.assert_close(found(other), expected(other), rtol=1e-3, atol=1e-3)


def fitted_without_folds(normal: Tensor) -> Layout:
    """The same, if fewer pictures are too few for a fit: the first is added twice to a fitter and left out once."""
    if len(normal) >= 3:
        return fitted(normal).fit()
    return fitted(torch.cat([normal, normal[:1]])).fit(range(2, 3))


def test_pictures_with_other_numbers_of_cells_have_the_same_places() -> None:
    layout = fitted(torch.cat([pictures(20)])).fit()
    finer = pictures(1, seed=1, rows=2 * ROWS, columns=2 * COLUMNS)
    assert layout(finer).shape == (1, 2 * ROWS, 2 * COLUMNS)
    assert layout(finer).mean() < 3 * layout(pictures(1, seed=1)).mean()
    assert layout(finer.flip(-1)).mean() > 2 * layout(finer).mean()


def test_pictures_of_several_shapes_can_be_fitted_to() -> None:
    fitter = LayoutFitter(CHANNELS, 6, torch.device("cpu"))
    for number in range(6):
        fitter.add(pictures(1, seed=number, rows=ROWS - number % 3, columns=COLUMNS + number % 2)[0])
    for fold in (None, range(0, 1)):  # without the first, whose cells are the places
        layout = fitter.fit(fold)
        assert layout(pictures(1, seed=9)).isfinite().all()


def test_a_continued_fit_is_the_same() -> None:
    normal = pictures(12)
    first = fitted(normal[:5], expected=12)
    second = LayoutFitter(CHANNELS, 12, torch.device("cpu"))
    second.load_state({name: tensor.clone() for name, tensor in first.state().items()})
    for picture in normal[5:]:
        second.add(picture)
    for fold in (None, range(0, 1)):
        one, other = fitted(normal).fit(fold), second.fit(fold)
        assert torch.equal(one.means, other.means)
        assert torch.equal(one.whitening.matrix, other.whitening.matrix)


def test_patches_that_do_not_vary_have_finite_distances() -> None:
    layout = fitted(torch.ones(4, CHANNELS, 2, 2)).fit()
    assert layout(torch.full((1, CHANNELS, 2, 2), 3.0)).isfinite().all()


def test_too_few_pictures_are_refused() -> None:
    with pytest.raises(InvalidDataset, match=r"at least 3 .*there are 2.*tiling\.thumbnail"):
        fitted(pictures(2)).fit()


def updated(layout: Layout, normal: Tensor, counted: Tensor | None = None) -> LayoutUpdate:
    update = LayoutUpdate(layout, len(normal))
    for picture in normal:
        update.add(picture, counted)
    return update


def test_an_update_equals_a_fit_to_all_pictures() -> None:
    normal, other = pictures(24), pictures(2, seed=1)
    first = fitted(normal[:5]).fit()
    before = {name: tensor.clone() for name, tensor in first.state_dict().items()}
    update = updated(first, normal[5:])
    torch.testing.assert_close(update.fit()(other), fitted(normal).fit()(other), rtol=1e-4, atol=1e-4)
    assert torch.equal(update.fit().counts, fitted(normal).fit().counts)
    assert all(torch.equal(tensor, before[name]) for name, tensor in first.state_dict().items())
    fold = range(1, 3)  # of 19 pictures in 10 folds
    others = torch.cat([normal[:6], normal[8:]])
    torch.testing.assert_close(update.fit(fold)(other), fitted(others).fit()(other), rtol=1e-4, atol=1e-4)


def test_an_update_of_an_update_equals_one_of_all_pictures() -> None:
    normal, other = pictures(15), pictures(2, seed=1)
    twice = updated(updated(fitted(normal[:4]).fit(), normal[4:9]).fit(), normal[9:]).fit()
    torch.testing.assert_close(twice(other), fitted(normal).fit()(other), rtol=1e-4, atol=1e-4)


def test_an_update_learns_the_counted_cells_and_no_others() -> None:
    first, lessons, other = fitted(pictures(8)).fit(), pictures(5, seed=2) + 3, pictures(2, seed=1) + 3
    counted = torch.zeros(ROWS, COLUMNS, dtype=torch.bool)
    counted[1:3, 2:5] = True
    found = [updated(first, each, counted).fit() for each in (lessons, torch.where(counted, lessons, 1e3))]
    torch.testing.assert_close(found[0](other), found[1](other))
    assert torch.equal(found[0].means[~counted], first.means[~counted])
    assert (found[0].counts - first.counts == 5 * counted).all()
    assert (found[0](other)[:, counted] < 0.7 * first(other)[:, counted]).all()
    none = updated(first, lessons, torch.zeros_like(counted)).fit()
    torch.testing.assert_close(none(other), first(other), rtol=1e-4, atol=1e-4)


def test_an_update_takes_pictures_with_other_numbers_of_cells() -> None:
    parts = [pictures(6), pictures(3, seed=1, rows=2 * ROWS, columns=2 * COLUMNS), pictures(2, seed=2, rows=3)]
    whole, update = LayoutFitter(CHANNELS, 11, torch.device("cpu")), LayoutUpdate(fitted(parts[0]).fit(), 5)
    for number, part in enumerate(parts):
        for picture in part:
            whole.add(picture)
            if number:
                update.add(picture)
    other = pictures(2, seed=3)
    torch.testing.assert_close(update.fit()(other), whole.fit()(other), rtol=1e-4, atol=1e-4)


def test_patches_that_do_not_vary_can_be_updated() -> None:
    update = updated(fitted(torch.ones(4, CHANNELS, 2, 2)).fit(), torch.ones(3, CHANNELS, 2, 2))
    assert update.fit()(torch.full((1, CHANNELS, 2, 2), 3.0)).isfinite().all()


def test_a_layout_without_its_numbers_predicts_and_says_what_would_work() -> None:
    first, other = fitted(pictures(6)).fit(), pictures(2, seed=1)
    state = {name: tensor for name, tensor in first.state_dict().items() if name not in ("counts", "variance")}
    restored = Layout(CHANNELS)
    restored.means = torch.empty_like(state["means"])
    restored.load_state_dict(state)
    assert torch.equal(restored(other), first(other))
    with pytest.raises(NotTeachable, match=r"layout of thumbnails does not know .* train it again"):
        LayoutUpdate(restored, 3)
