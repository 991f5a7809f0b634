"""Artifacts of every released schema answer as they did when they were written.

The archives hold a PaDiM of synthetic pictures with random weights. 1: written at schema 1, with tiles that are padded;
2: with tiles that cover the picture, and a halo.
"""

import tarfile
from pathlib import Path

import numpy as np
import pytest
import torch

from app.artifacts import ModelRepository, copy, load_artifact, read_manifest
from app.artifacts.manifest import SCHEMA_VERSION
from app.pipeline import predict

ARCHIVES = Path(__file__).parent / "schemas"
SCORES = {1: 6.356260776519775, 2: 6.31167459487915}  # as computed by the program that wrote the artifact
PEAKS = {1: 6.349931716918945, 2: 6.306015968322754}
MEANS = {1: 5.467753054946661, 2: 5.528568332316354}


def picture() -> torch.Tensor:
    y, x = np.mgrid[:96, :160]
    return torch.from_numpy(np.stack([(7 * x + 13 * y + 40 * c) % 256 for c in range(3)]).astype(np.uint8))


def test_there_is_an_artifact_of_every_schema() -> None:
    assert set(SCORES) == set(range(1, SCHEMA_VERSION + 1))


@pytest.mark.parametrize("schema", SCORES)
def test_an_artifact_of_an_earlier_schema_answers_as_it_did(schema: int, tmp_path: Path) -> None:
    with tarfile.open(ARCHIVES / f"{schema}.tar.xz") as archive:
        archive.extractall(tmp_path, filter="data")
    repository = ModelRepository(tmp_path)
    entry = repository.find("padim")
    assert read_manifest(entry.path).schema_version == schema
    written = predict(load_artifact(entry).model, picture())
    found = written.raw_score, float(written.anomaly_map.max()), float(written.anomaly_map.double().mean())
    # Other processors round differently; on the one that wrote the artifacts, the numbers are equal.
    assert found == pytest.approx((SCORES[schema], PEAKS[schema], MEANS[schema]), rel=1e-5)
    copied = predict(load_artifact(copy(repository, "padim", 1)).model, picture())  # with a manifest of today's schema
    assert copied.raw_score == written.raw_score
    assert torch.equal(copied.anomaly_map, written.anomaly_map)
