from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from app.artifacts import Artifact
from app.data import LabelledPicture
from app.evaluation import Evaluation, Procedure, evaluate, headline, measure_intervals, percent
from app.evaluation.intervals import image_metrics, resampled
from tests.scoring import naive


@pytest.fixture(scope="module")
def evaluation(artifact: Artifact, pictures: list[LabelledPicture]) -> Evaluation:
    return evaluate(artifact.model, pictures, artifact.calibration, Procedure(intervals=True))


def test_every_measured_metric_has_an_interval_around_it(evaluation: Evaluation) -> None:
    found = measure_intervals(evaluation)
    names = {"auroc", "average_precision", "best_f1", "f1", "recall", "false_positive_rate"}
    assert names <= found.image.keys()
    assert {*names, "aupro_0.3", "aupro_0.05", "precision"} <= found.pixel.keys()
    assert evaluation.pixel is not None
    assert evaluation.pixel.ranking is not None
    low, high = found.pixel["auroc"]
    assert 0 <= low <= evaluation.pixel.ranking.auroc <= high <= 1
    assert max(map(abs, found.grid_error.values())) < 0.01
    assert found.grid_error["recall"] == pytest.approx(0, abs=1e-12)


def test_recall_and_false_alarms_have_exact_intervals(evaluation: Evaluation) -> None:
    found = evaluation.image.at_threshold
    assert found is not None
    expected = stats.binomtest(found.true_positives, 7).proportion_ci(0.95, "exact")
    assert measure_intervals(evaluation).image["recall"] == pytest.approx((expected.low, expected.high))


def test_resampled_metrics_are_those_of_drawn_pictures(evaluation: Evaluation) -> None:
    labels = [each.anomalous for each in evaluation.pictures]
    found = resampled(labels, image_metrics(evaluation.pictures))
    random, scores = np.random.default_rng(9), np.array([each.raw_score for each in evaluation.pictures])
    drawn = []
    for _ in range(1000):
        chosen = np.concatenate(
            [
                random.choice(np.flatnonzero(np.array(labels) == label), int(count))
                for label, count in ((True, 7), (False, 4))
            ]
        )
        drawn.append(naive.pairwise_auroc(scores[chosen], np.array(labels)[chosen]))
    assert found["auroc"].mean() == pytest.approx(np.mean(drawn), abs=0.03)
    assert found["auroc"].std() == pytest.approx(np.std(drawn), abs=0.03)


def test_without_grid_or_calibration_intervals_are_missing(evaluation: Evaluation) -> None:
    assert measure_intervals(replace(evaluation, grid=None)).pixel == {}
    normal = tuple(each for each in evaluation.pictures if not each.anomalous)
    image = replace(evaluation.image, anomalous=0, ranking=None, at_threshold=None)
    found = measure_intervals(replace(evaluation, pictures=normal, image=image, pixel=None, grid=None))
    assert found.image == {}


def test_the_headline_is_about_misses_and_false_alarms(evaluation: Evaluation) -> None:
    found = evaluation.image.at_threshold
    assert found is not None
    words = headline(evaluation)
    assert words.startswith(f"finds {found.true_positives} of 7 defects (")
    assert f" and calls {found.false_positives} of 4 normal pictures anomalous (" in words
    assert headline(replace(evaluation, image=replace(evaluation.image, at_threshold=None))) == ""


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.5, "50"), (0.068, "6.8"), (1.0, "100"), (0.0, "0"), (0.997, "99.7"), (0.3553, "36"), (0.9, "90")],
)
def test_shares_are_shown_in_percent(share: float, text: str) -> None:
    assert percent(share) == text
