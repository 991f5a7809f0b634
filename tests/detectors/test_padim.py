import numpy as np
import pytest
import torch
from torch import Tensor

from app.detectors import Padim
from app.detectors.padim import FIT_PICTURES, REGULARISATION
from app.errors import InvalidDataset, InvalidParameter


def fitted(embeddings: Tensor, rows_at_once: int) -> Padim:
    """PaDiM fitted to embeddings [N,c,h,w], fed in bands."""
    detector = Padim(n_features=embeddings.shape[1])
    fitter = detector.fitter(len(embeddings), (embeddings.shape[2], embeddings.shape[3]))
    for embedding in embeddings:
        for top in range(0, embedding.shape[1], rows_at_once):
            fitter.add((embedding[:, top : top + rows_at_once],), top)
    fitter.finish(lambda *_: None)
    return detector


@pytest.mark.parametrize("pictures", [2, FIT_PICTURES, 2 * FIT_PICTURES + 3])
@pytest.mark.parametrize("rows_at_once", [2, 5])
def test_distances_are_mahalanobis_distances(pictures: int, rows_at_once: int) -> None:
    embeddings = torch.randn(pictures, 6, 5, 3) * 3 + 100  # with this offset, running sums would lose digits
    detector, query = fitted(embeddings, rows_at_once), torch.randn(6, 5, 3) + 100
    (found,) = detector.measure((query[None, :, 2:],), [(8, 0)]).distances
    for y in range(3):
        for x in range(3):
            samples = embeddings[:, :, y + 2, x].double().numpy()
            covariance = np.cov(samples, rowvar=False) + REGULARISATION * np.eye(6)
            offset = query[:, y + 2, x].double().numpy() - samples.mean(0)
            expected = np.sqrt(offset @ np.linalg.inv(covariance) @ offset)
            assert float(found[0, y, x]) == pytest.approx(expected, rel=1e-3)


def test_the_embedding_holds_the_chosen_channels_in_their_order() -> None:
    detector = Padim(n_features=30)
    tiles = torch.randn(2, 3, 64, 32)
    layers = list(detector.backbone(tiles).values())
    everything = torch.cat([torch.nn.functional.interpolate(layer, size=layers[0].shape[-2:]) for layer in layers], 1)
    (embedding,) = detector.embed(tiles)
    assert torch.equal(embedding, everything[:, detector.idx])


def test_one_picture_is_too_few() -> None:
    with pytest.raises(InvalidDataset, match=r"at least 2 .* 1$"):
        fitted(torch.randn(1, 4, 2, 2), 2)


def test_backbones_without_a_default_need_a_number_of_channels() -> None:
    with pytest.raises(InvalidParameter, match="n_features, 1 to 1792"):
        Padim("resnet50")
    with pytest.raises(InvalidParameter, match=r"449.* 1 to 448"):
        Padim(n_features=449)


@pytest.mark.parametrize("size", [(64, 32), (130, 67)])
def test_channels_may_be_in_any_order(size: tuple[int, int]) -> None:
    """As in models of earlier versions. Sizes off the grid of the deepest layer are enlarged by nearest values, too."""
    detector, tiles = Padim(n_features=30), torch.randn(1, 3, *size)
    detector.choose(torch.randperm(448)[:30])
    layers = list(detector.backbone(tiles).values())
    everything = torch.cat([torch.nn.functional.interpolate(layer, size=layers[0].shape[-2:]) for layer in layers], 1)
    (embedding,) = detector.embed(tiles)
    assert torch.equal(embedding, everything[:, detector.idx])


def test_whiteners_that_are_not_packed_are_loaded() -> None:
    """Models of earlier versions: lower triangular matrices after training, upper triangular ones after an import."""
    detector, features = Padim(n_features=30), torch.randn(1, 30, 4, 5)
    whitener = torch.randn(4, 5, 30, 30).tril_()
    whitener[0] = whitener[0].mT.clone()
    mean = torch.randn(4, 5, 30)
    state = {**detector.state_dict(), "mean": mean, "whitener": whitener.clone()}
    del state["whitening"]
    detector.load_fitted_state(state)
    (found,) = detector.measure((features,), [(0, 0)]).distances
    offset = (features[0].permute(1, 2, 0) - mean).unsqueeze(-1)
    torch.testing.assert_close(found[0], (whitener @ offset)[..., 0].norm(dim=-1), rtol=1e-4, atol=0)
    assert set(detector.state_dict()) == set(Padim(n_features=30).state_dict())
