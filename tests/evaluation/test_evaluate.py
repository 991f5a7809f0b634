from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from app.artifacts import Artifact
from app.data import LabelledPicture
from app.errors import InvalidArtifact, InvalidDataset
from app.evaluation import EvaluatedPicture, Evaluation, Procedure, evaluate, manifest_metrics
from app.evaluation.pixel_store import PixelStore
from app.pipeline import predict
from app.scoring import AUPRO_LIMITS, rank
from tests.scoring import naive


@pytest.fixture(scope="module")
def evaluation(artifact: Artifact, pictures: list[LabelledPicture]) -> Evaluation:
    return evaluate(artifact.model, pictures, artifact.manifest.calibration.build())


@pytest.fixture(scope="module")
def maps(artifact: Artifact, pictures: list[LabelledPicture]) -> list[NDArray[np.float32]]:
    """The map of each picture, computed by `predict` alone."""
    found = []
    for picture in pictures:
        with Image.open(picture.path) as image:
            pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)
        found.append(predict(artifact.model, pixels, 4).anomaly_map.numpy())
    return found


def mask_of(picture: LabelledPicture) -> NDArray[np.bool_]:
    if picture.mask is None:
        return np.zeros((96, 160), bool)
    with Image.open(picture.mask) as mask:
        return np.asarray(mask) > 0


def of_kinds(
    pictures: list[LabelledPicture], maps: list[NDArray[np.float32]], kinds: set[str]
) -> tuple[list[NDArray[np.float32]], list[NDArray[np.bool_]]]:
    chosen = [pair for pair in zip(pictures, maps, strict=True) if pair[0].kind in kinds]
    return [found for _, found in chosen], [mask_of(picture) for picture, _ in chosen]


def test_metrics_of_pictures_are_those_of_their_scores(evaluation: Evaluation) -> None:
    scores = np.array([result.raw_score for result in evaluation.pictures])
    anomalous = np.array([result.anomalous for result in evaluation.pictures])
    ranking, found = evaluation.image.ranking, evaluation.image.at_threshold
    assert ranking is not None
    assert found is not None
    assert ranking.auroc == pytest.approx(naive.pairwise_auroc(scores, anomalous))
    assert ranking.average_precision == pytest.approx(naive.average_precision(scores, anomalous))
    exceeds = np.array([result.exceeds for result in evaluation.pictures])
    assert found.true_positives == (exceeds & anomalous).sum()
    assert found.false_positives == (exceeds & ~anomalous).sum()
    assert (evaluation.image.normal, evaluation.image.anomalous) == (4, 7)


def test_metrics_of_pixels_are_those_of_all_maps_with_known_masks(
    evaluation: Evaluation, pictures: list[LabelledPicture], maps: list[NDArray[np.float32]], artifact: Artifact
) -> None:
    chosen, masks = of_kinds(pictures, maps, {"good", "stain", "hole"})
    scores, inside = np.stack(chosen), np.stack(masks)
    assert evaluation.pixel is not None
    ranking, found = evaluation.pixel.ranking, evaluation.pixel.at_threshold
    assert ranking is not None
    assert found is not None
    order = np.searchsorted(np.sort(scores[~inside]), scores[inside], "left")
    upto = np.searchsorted(np.sort(scores[~inside]), scores[inside], "right")
    assert ranking.auroc == pytest.approx(float((order + upto).mean() / 2 / (~inside).sum()), abs=1e-12)
    over = scores > artifact.manifest.calibration.pixel_threshold
    assert (found.true_positives, found.false_positives) == ((over & inside).sum(), (over & ~inside).sum())
    assert evaluation.regions == 5


def test_each_kind_is_measured_against_the_good_pictures(
    evaluation: Evaluation, pictures: list[LabelledPicture], maps: list[NDArray[np.float32]]
) -> None:
    kinds = {found.kind: found for found in evaluation.kinds}
    assert list(kinds) == ["hole", "scratch", "stain"]
    for kind, found in kinds.items():
        results = [result for result in evaluation.pictures if result.kind in ("good", kind)]
        scores = np.array([result.raw_score for result in results])
        assert found.image_auroc == pytest.approx(
            naive.pairwise_auroc(scores, np.array([result.anomalous for result in results]))
        )
        own = [result for result in results if result.anomalous]
        assert found.detection_rate == sum(bool(result.exceeds) for result in own) / found.pictures
    with PixelStore() as store:
        stored = [store.add(*pair) for pair in zip(*of_kinds(pictures, maps, {"good", "hole"}), strict=True)]
        expected = rank(store.steps(stored), store.totals(stored))
    assert kinds["hole"].pixel_auroc == expected.auroc
    assert kinds["hole"].aupro == expected.aupro
    assert set(expected.aupro) == set(AUPRO_LIMITS)
    assert kinds["scratch"].pixel_auroc is None
    assert kinds["scratch"].aupro == {}


def test_a_stain_is_found_better_than_chance(evaluation: Evaluation) -> None:
    assert manifest_metrics(evaluation)["image_auroc"] > 0.5
    assert manifest_metrics(evaluation)["pixel_auroc"] > 0.8
    assert all(0 <= value <= 1 for value in manifest_metrics(evaluation).values())


def test_the_size_of_blocks_does_not_change_the_metrics(
    evaluation: Evaluation, artifact: Artifact, pictures: list[LabelledPicture]
) -> None:
    calibration = artifact.manifest.calibration.build()
    found = evaluate(artifact.model, pictures, calibration, Procedure(block=100))
    assert manifest_metrics(found) == pytest.approx(manifest_metrics(evaluation), rel=1e-12)


def test_every_picture_is_observed_once(artifact: Artifact, pictures: list[LabelledPicture]) -> None:
    seen: list[EvaluatedPicture] = []
    progress: list[tuple[str, int, int]] = []
    evaluate(artifact.model, pictures[:3], None, None, lambda *done: progress.append(done), seen.append)
    assert [evaluated.result.path for evaluated in seen] == [picture.path for picture in pictures[:3]]
    assert seen[0].anomaly_map.shape == seen[0].image.shape[1:] == (96, 160)
    assert progress[:3] == [("pictures", number, 3) for number in (1, 2, 3)]


def test_without_a_calibration_no_picture_is_judged(artifact: Artifact, pictures: list[LabelledPicture]) -> None:
    found = evaluate(artifact.model, pictures, None)
    assert found.image.at_threshold is None
    assert {(result.score, result.exceeds) for result in found.pictures} == {(None, None)}
    assert found.kinds[0].detection_rate is None
    assert manifest_metrics(found)["image_auroc"] > 0.5


@pytest.mark.parametrize(
    ("kinds", "note", "metrics"),
    [
        ({"good"}, "no anomalous pictures", False),
        ({"stain"}, "no normal pictures", False),
        ({"good", "scratch"}, "No picture has a mask", True),
        ({"good", "stain", "scratch"}, "2 of 5", True),
    ],
)
def test_metrics_that_cannot_be_computed_are_missing_and_noted(
    artifact: Artifact, pictures: list[LabelledPicture], kinds: set[str], note: str, metrics: bool
) -> None:
    chosen = [picture for picture in pictures if picture.kind in kinds]
    found = evaluate(artifact.model, chosen, artifact.manifest.calibration.build())
    assert any(note in each for each in found.notes)
    assert (found.image.ranking is not None) == metrics
    assert (found.pixel is not None) == bool(kinds & {"stain", "hole"})
    assert found.image.at_threshold is not None
    if kinds == {"good"}:
        assert found.image.at_threshold.recall is None
        assert found.image.at_threshold.false_positive_rate is not None


def test_unreadable_pictures_stop_the_evaluation_or_are_listed(
    artifact: Artifact, pictures: list[LabelledPicture], tmp_path: Path
) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no picture")
    bad = [LabelledPicture(broken, "good", None), LabelledPicture(pictures[0].path, "hole", broken)]
    mixed = [bad[0], pictures[0], bad[1], pictures[-1], bad[0]]
    with pytest.raises(InvalidDataset, match=r"1 of 5 .*broken\.png"):
        evaluate(artifact.model, mixed, None)
    found = evaluate(artifact.model, mixed, None, Procedure(on_unreadable="skip"))
    assert [result.path for result in found.pictures] == [pictures[0].path, pictures[-1].path]
    assert [left_out.path for left_out in found.unreadable] == [broken, pictures[0].path, broken]
    assert "the mask" in found.unreadable[1].reason
    with pytest.raises(InvalidDataset, match="none of 1"):
        evaluate(artifact.model, bad[:1], None, Procedure(on_unreadable="skip"))


def test_masks_of_another_size_are_resized_and_noted(
    artifact: Artifact, pictures: list[LabelledPicture], evaluation: Evaluation, tmp_path: Path
) -> None:
    enlarged = []
    for number, picture in enumerate(pictures):
        if picture.mask is not None:
            with Image.open(picture.mask) as mask:
                mask.resize((320, 192), Image.Resampling.NEAREST).save(tmp_path / f"{number}.png")
        path = tmp_path / f"{number}.png" if picture.mask else None
        enlarged.append(LabelledPicture(picture.path, picture.kind, path))
    found = evaluate(artifact.model, enlarged, None)
    assert found.notes[-1].startswith("5 masks")
    assert manifest_metrics(found) == manifest_metrics(evaluation)


def test_a_model_whose_results_are_not_finite_is_refused(
    tiny_artifact: Artifact, pictures: list[LabelledPicture]
) -> None:
    tiny_artifact.model.detector.state_dict()["memory_bank"].fill_(torch.nan)
    with pytest.raises(InvalidArtifact, match="finite"):
        evaluate(tiny_artifact.model, pictures[:1], None)
