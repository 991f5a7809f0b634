from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from app.artifacts import Artifact, ModelRepository, load_artifact
from app.data import LabelledPicture
from app.errors import InvalidDataset
from app.evaluation import Evaluation, Procedure, compare, evaluate
from app.evaluation.intervals import image_metrics, resampled


@pytest.fixture(scope="module")
def evaluations(models_dir: Path, artifact: Artifact, pictures: list[LabelledPicture]) -> tuple[Evaluation, Evaluation]:
    other = load_artifact(ModelRepository(models_dir).find("padim"))
    how = Procedure(intervals=True)
    return (
        evaluate(artifact.model, pictures, artifact.calibration, how),
        evaluate(other.model, pictures, other.calibration, how),
    )


def test_differences_are_those_of_the_two_evaluations(evaluations: tuple[Evaluation, Evaluation]) -> None:
    first, second = evaluations
    found = compare(first, second)
    assert first.image.ranking
    assert second.image.ranking
    area = found.image["auroc"]
    assert (area.first, area.second) == (first.image.ranking.auroc, second.image.ranking.auroc)
    assert area.method == "DeLong"
    assert first.pixel
    assert second.pixel
    assert {"auroc", "average_precision", "aupro_0.3", "aupro_0.05", "recall"} <= found.pixel.keys()
    for each in (*found.image.values(), *found.pixel.values()):
        assert each.low is not None
        assert each.high is not None
        assert each.low - 1e-9 <= each.difference <= each.high + 1e-9


def test_a_paired_bootstrap_gives_both_models_the_same_resamples(evaluations: tuple[Evaluation, Evaluation]) -> None:
    first, second = evaluations
    labels = [each.anomalous for each in first.pictures]
    drawn = [resampled(labels, image_metrics(each.pictures))["average_precision"] for each in evaluations]
    found = compare(first, second).image["average_precision"]
    assert (found.low, found.high) == pytest.approx(tuple(np.quantile(drawn[1] - drawn[0], [0.025, 0.975])))


def test_a_model_does_not_differ_from_itself(evaluations: tuple[Evaluation, Evaluation]) -> None:
    found = compare(evaluations[0], evaluations[0])
    assert found.changed == ()
    assert all(each.difference == 0 for each in (*found.image.values(), *found.pixel.values()))
    assert found.pixel["auroc"].low == found.pixel["auroc"].high == 0
    assert found.image["recall"].p_value == 1


def test_changed_verdicts_are_counted_and_listed_with_the_largest_change_first(
    evaluations: tuple[Evaluation, Evaluation],
) -> None:
    first = evaluations[0]
    scores = {0: 0.9, 2: 0.6, 4: 0.0, 5: 0.3}
    flipped = tuple(
        replace(each, score=scores[number], exceeds=not each.exceeds) if number in scores else each
        for number, each in enumerate(first.pictures)
    )
    second = replace(first, pictures=flipped)
    found = compare(first, second)
    assert sorted(found.changed) == [0, 2, 4, 5]
    changes = [abs((first.pictures[number].score or 0) - scores[number]) for number in found.changed]
    assert changes == sorted(changes, reverse=True)
    pairs = [(a.anomalous, a.exceeds, b.exceeds) for a, b in zip(first.pictures, flipped, strict=True)]
    assert found.defects.first_only == pairs.count((True, True, False))
    assert found.normal.second_only == pairs.count((False, False, True))
    assert (found.defects.total, found.normal.total) == (7, 4)


def test_other_pictures_are_refused(evaluations: tuple[Evaluation, Evaluation]) -> None:
    shorter = replace(evaluations[1], pictures=evaluations[1].pictures[1:])
    with pytest.raises(InvalidDataset, match="same pictures"):
        compare(evaluations[0], shorter)
