from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from app.detectors import Features
from app.pipeline import Prepared, TiledModel, assembled
from app.training.feature_store import FeatureStore
from tests.conftest import draw_surface

PICTURES = 3


def pictures(model: TiledModel) -> Iterator[tuple[Prepared, list[Features]]]:
    """Pictures of different sizes, and their features in batches of 4 tiles."""
    for number in range(PICTURES):
        picture = torch.from_numpy(draw_surface(number)).permute(2, 0, 1)[:, : 100 + number].contiguous()
        prepared = model.prepare(picture)
        yield prepared, list(model.outputs(prepared, 4))


def test_stored_pictures_give_the_same_outcomes(tiny_model: TiledModel, tmp_path: Path) -> None:
    with FeatureStore(tmp_path) as store:
        for prepared, outputs in pictures(tiny_model):
            kept = list(store.keep(prepared, outputs))
            assert all(one is other for one, other in zip(kept, outputs, strict=True))
        found = [assembled(tiny_model, outputs, prepared) for prepared, outputs in store.pictures(tiny_model.device)]
    expected = [assembled(tiny_model, outputs, prepared) for prepared, outputs in pictures(tiny_model)]
    assert len(found) == PICTURES
    for one, other in zip(found, expected, strict=True):
        assert one.raw_score == pytest.approx(other.raw_score, rel=1e-5)
        torch.testing.assert_close(one.anomaly_map, other.anomaly_map)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("stored", range(PICTURES))
def test_only_the_first_pictures_that_fit_are_stored(tiny_model: TiledModel, tmp_path: Path, stored: int) -> None:
    sizes = [4 * sum(each.numel() for batch in outputs for each in batch) for _, outputs in pictures(tiny_model)]
    with FeatureStore(tmp_path, sum(sizes[: stored + 1]) - 4) as store:
        for prepared, outputs in pictures(tiny_model):
            assert len(list(store.keep(prepared, outputs))) == len(outputs)
        assert len(list(store.pictures(tiny_model.device))) == stored
