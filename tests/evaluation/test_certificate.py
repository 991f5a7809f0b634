"""The certificate of a model: what it says, and of which marks."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.special import expit
from torch import Tensor

from app.artifacts import (
    Artifact,
    CertificateRecord,
    Entry,
    GradeRecord,
    read_certificate,
    usable_certificate,
    write_certificate,
)
from app.cli.certificate import certificate_record
from app.errors import InvalidDataset, InvalidParameter, InvalidServing
from app.evaluation.certificate import Certified, Grade, MarkedPictures, Plan, Sight, certify
from app.evaluation.report import write_certificate_page
from app.pipeline import Roi
from app.scoring import Calibration
from app.synthesis import Mark
from tests.conftest import draw_surface

PLAN = Plan((0.9,), 12)


def surface(seed: int) -> Tensor:
    return torch.from_numpy(draw_surface(seed)).movedim(-1, 0)


def marked(artifact: Artifact, calibration: Calibration) -> MarkedPictures:
    pictures = MarkedPictures(artifact.model, calibration)
    for seed in (300, 301):
        pictures.add(surface(seed))
    return pictures


def at(artifact: Artifact, threshold: float) -> Calibration:
    return replace(artifact.calibration, image_threshold=threshold, pixel_threshold=threshold)


@pytest.fixture(scope="module")
def pictures(artifact: Artifact) -> MarkedPictures:
    """Two pictures, and a threshold just over their maps."""
    highest = max(float(artifact.model.calibration.pixel_threshold), 0.0) if artifact.model.calibration else 0.0
    return marked(artifact, at(artifact, 1.5 * highest))


@pytest.fixture(scope="module")
def certified(pictures: MarkedPictures) -> Certified:
    return certify(pictures, PLAN)


@pytest.fixture(scope="module")
def record(certified: Certified, pictures: MarkedPictures, artifact: Artifact) -> CertificateRecord:
    return certificate_record(certified, pictures, artifact, "surfaces", 0)


def test_the_seed_determines_the_certificate(certified: Certified, pictures: MarkedPictures) -> None:
    again = certify(pictures, PLAN)
    assert [grade.sights for grade in again.grades] == [grade.sights for grade in certified.grades]
    other = certify(pictures, replace(PLAN, seed=1))
    assert [grade.sights for grade in other.grades] != [grade.sights for grade in certified.grades]


def test_marks_are_tried_all_over_the_picture(certified: Certified) -> None:
    assert certified.grid == (4, 6)
    assert len(certified.places) == 24
    tried = [place.tried for place in certified.places]
    assert sum(tried) == sum(len(grade.sights) for grade in certified.grades)
    centres = np.array([sight.at for grade in certified.grades for sight in grade.sights])
    assert centres.min(0).max() < 0.25 < 0.75 < centres.max(0).min()


def test_a_model_that_sees_nothing_certifies_nothing(artifact: Artifact) -> None:
    found = certify(marked(artifact, at(artifact, 1e9)), PLAN)
    grades = [grade.record() for grade in found.grades if grade.sights]
    assert grades
    for grade in grades:
        assert (grade.smallest, grade.low, grade.high) == (None, None, None)
        assert "not found with 95 % probability up to" in str(grade)
    assert not any(place.found for place in found.places)


def test_strong_marks_are_found_and_larger_ones_more_often(certified: Certified) -> None:
    sights = [sight for grade in certified.grades for sight in grade.sights]
    assert any(sight.found for sight in sights)
    sights.sort(key=lambda sight: sight.mark.size)
    half = len(sights) // 2
    shares = [np.mean([sight.found for sight in part]) for part in (sights[:half], sights[half:])]
    assert shares[1] > shares[0]


def test_places_with_a_false_alarm_are_not_used(artifact: Artifact) -> None:
    found = certify(marked(artifact, at(artifact, -1.0)), PLAN)
    assert found.false_alarms.exceeded == 2
    assert not any(grade.sights for grade in found.grades)
    assert "no place for it" in str(found.grades[0].record())


def test_a_mark_is_the_only_change(pictures: MarkedPictures) -> None:
    before = [each.image.clone() for each in pictures._pictures]
    sight = pictures.try_mark(0, Mark("pit", 8, 0.5), Roi(0, 0, 1, 1), (4, 6), torch.Generator().manual_seed(3))
    assert sight is not None
    assert max(sight.at) < 0.4  # in the first cell, or moved into the picture
    assert all(torch.equal(*pair) for pair in zip(before, (each.image for each in pictures._pictures), strict=True))


def simulated(sees: Callable[[int], float], marks: int = 120, seed: int = 0) -> Grade:
    """A grade whose marks are found with a probability that depends on their size."""
    grade, generator = Grade("pit", 0.1, (1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64)), np.random.default_rng(seed)
    for _ in range(marks):
        size = grade.next_size()
        assert size is not None
        grade.sights.append(Sight(Mark("pit", size, 0.1), (0.5, 0.5), bool(generator.random() < sees(size))))
    return grade


def test_a_model_that_sees_everything_is_certified_from_the_smallest_size() -> None:
    found = simulated(lambda size: 1.0).record()
    assert (found.smallest, found.low, found.high) == (1, None, 1)
    assert str(found) == "pit from 1 px at 10 % contrast"


def test_the_next_sizes_surround_the_size_that_is_found() -> None:
    grade = simulated(lambda size: float(size >= 16))
    late = {sight.mark.size for sight in grade.sights[20:]}
    assert late <= {8, 11, 16, 22, 32}
    found = grade.record()
    assert found.smallest is not None and 11 < found.smallest < 17
    assert found.low is not None and found.high is not None and found.low < found.smallest < found.high < 20


def test_intervals_cover_the_true_size_though_sizes_are_chosen_by_the_trials() -> None:
    true = 2 ** (3 + 0.3 * np.log(19))

    def sees(size: int) -> float:
        return float(expit((np.log2(size) - 3) / 0.3))

    covered = 0
    for seed in range(20):
        low, high = simulated(sees, 60, seed).curve.size_interval()
        covered += low <= true <= high
    assert covered >= 18


def test_a_budget_ends_the_rounds(pictures: MarkedPictures) -> None:
    times = iter(range(0, 10_000, 10))
    found = certify(pictures, replace(PLAN, budget_s=25.0), clock=lambda: float(next(times)))
    assert found.marks == 2
    assert max(len(grade.sights) for grade in found.grades) <= 2


def test_the_time_is_estimated_after_the_first_round(pictures: MarkedPictures) -> None:
    reports: list[tuple[str, str]] = []
    certify(
        pictures,
        replace(PLAN, marks=10),
        lambda stage, done, total, note="": reports.append((stage, note)),
    )
    assert [stage for stage, _ in reports[:2]] == ["estimate", "marks"]
    assert "for 50 marks" in reports[0][1]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"contrasts": ()}, "give 1 to 8 different ones"),
        ({"contrasts": (0.1, 0.1)}, "give 1 to 8 different ones"),
        ({"contrasts": (0.1, 1.5)}, "above 0 and at most 1"),
        ({"marks": 5}, "use 10 to 1000"),
        ({"budget_s": 0.5}, "use 1 s or more"),
    ],
)
def test_a_plan_that_cannot_work_is_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        Plan(**values)  # type: ignore[arg-type]  # values of several types


def test_without_pictures_there_is_no_certificate(artifact: Artifact) -> None:
    with pytest.raises(InvalidDataset, match="none of the normal pictures"):
        certify(MarkedPictures(artifact.model, artifact.calibration), PLAN)


def test_the_file_belongs_to_one_manifest(record: CertificateRecord, artifact: Artifact, tmp_path: Path) -> None:
    version = Entry("patchcore", 1, tmp_path / "1")
    version.path.mkdir()
    assert read_certificate(version.path, artifact.digest) is None
    write_certificate(version.path, record)
    assert read_certificate(version.path, artifact.digest) == record
    assert read_certificate(version.path, "0" * 64) is None


def test_a_damaged_file_keeps_no_version_from_serving(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "certificate.json").write_text("{")
    with pytest.raises(InvalidServing, match="run tessera certify again"):
        read_certificate(tmp_path, "0" * 64)
    assert usable_certificate(tmp_path, "0" * 64) is None
    assert "certificate.json" in caplog.text


def test_the_page_has_every_grade_and_place(record: CertificateRecord, artifact: Artifact, tmp_path: Path) -> None:
    write_certificate_page(tmp_path, record, artifact)
    assert CertificateRecord.model_validate_json((tmp_path / "certificate.json").read_bytes()) == record
    page = (tmp_path / "certificate.html").read_text()
    for line in record.headlines:
        assert str(line) in page
    assert page.count("<rect") == len(record.places)
    assert page.count('<path class="likely"') == sum(bool(grade.tried) for grade in record.grades)
    assert "NaN" not in page and "inf" not in page.replace("info", "")


def test_the_headline_is_the_lowest_contrast_that_is_found(record: CertificateRecord) -> None:
    tried = record.grades[0].tried
    grades = tuple(
        GradeRecord(kind="pit", contrast=contrast, smallest=size, low=size, high=size, tried=tried)
        for contrast, size in ((0.5, 3.0), (0.1, None), (0.25, 6.0))
    )
    assert [str(each) for each in record.model_copy(update={"grades": grades}).headlines] == [
        "pit from 6 px at 25 % contrast"
    ]
