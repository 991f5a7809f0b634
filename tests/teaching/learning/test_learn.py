"""Small models that learn from reviewed pictures: trained once, taught in memory, written and loaded again."""

import os
import shutil
import signal
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image

from app.artifacts import Entry, ModelRepository, load_artifact, read_manifest, write_recalibrated, write_zoned
from app.artifacts.manifest import WEIGHTS
from app.data import Folder
from app.detectors import Detector, Padim, Patchcore, Stfpm, Subspace
from app.errors import InvalidImage, NothingToLearn, NotTeachable
from app.pipeline import predict
from app.progress import silent
from app.reviews import ReviewedPicture, ReviewLabel
from app.teaching.learning import learn
from app.tensor_files import read_tensors
from app.tiling import Tiling
from app.training import Recipe, TrainerOptions, plan_training, train
from app.zones import Zone, Zones
from tests.conftest import draw_surface
from tests.teaching.surfaces import reviewed, surface

CPU = torch.device("cpu")
ONE_PASS = ("padim", "patchcore", "subspace")
STAIN = ((100.0, 40.0), (124.0, 40.0), (124.0, 56.0), (100.0, 56.0))
Trained = Callable[[str], Entry]


def detector(name: str) -> Detector:
    torch.manual_seed(0)
    if name == "padim":
        return Padim("resnet18", ("layer1",), n_features=8, pre_trained=False)
    if name == "patchcore":
        return Patchcore("resnet18", ("layer1",), coreset_sampling_ratio=0.1, num_neighbors=3, pre_trained=False)
    if name == "stfpm":
        return Stfpm("resnet18", ("layer1",), pre_trained=False)
    return Subspace("resnet18", ("layer1",), pre_trained=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A function that trains a detector of this name on six surfaces, once."""
    return cache(lambda name: train_on(tmp_path_factory.mktemp(name), name, 10 if name == "stfpm" else 6))


def train_on(root: Path, name: str, count: int) -> Entry:
    folder = root / "good"
    folder.mkdir()
    for number in range(count):
        Image.fromarray(draw_surface(number)).save(folder / f"{number:02}.png")
    size = (96, 160) if name == "padim" else None
    data = Folder(str(folder), num_workers=0, image_size=size)
    options = TrainerOptions(max_epochs=1 if name == "stfpm" else None)
    recipe = Recipe(detector(name), data, Tiling(tile_size=32, stride=32), seed=0, assess=False, trainer=options)
    return train(recipe, plan_training(recipe, CPU), ModelRepository(root / "models"), "lid", CPU, silent)


def peak(model: object, picture: torch.Tensor) -> float:
    return float(predict(model, picture).anomaly_map.max())  # type: ignore[arg-type]  # a TiledModel


@pytest.mark.parametrize("name", ONE_PASS)
def test_what_is_harmless_is_learned_and_defects_are_not(trained: Trained, name: str) -> None:
    base = trained(name)
    blue, red = (0, 0, 255), (255, 0, 0)
    lessons = [reviewed(f"h{seed}", "harmless", surface(50 + seed, blue), "harmless") for seed in range(4)]
    defects = [reviewed(f"d{seed}", "defect", surface(60 + seed, red), "defect") for seed in range(2)]
    before, taught = load_artifact(base).model, learn(base, [*lessons, *defects])
    harmless, defect = surface(70, blue), surface(71, red)
    assert peak(taught.model, harmless) < 0.8 * peak(before, harmless)
    assert peak(taught.model, defect) > 0.7 * peak(before, defect)
    calibration = taught.model.calibration
    assert calibration is not None and predict(taught.model, defect).raw_score > calibration.image_threshold
    assert (taught.taught.harmless, taught.taught.defects, taught.taught.missed) == (4, 2, 0)
    assert taught.taught.patches == 4 * 4 * 6  # cells of 4 x 4 pixels in each of the stains


def test_teaching_equals_training_on_all_pictures(trained: Trained, tmp_path: Path) -> None:
    lessons = [reviewed(f"{seed}", "harmless", surface(seed)) for seed in range(6, 10)]
    taught, whole = learn(trained("subspace"), lessons).model, load_artifact(train_on(tmp_path, "subspace", 10)).model
    other = surface(70, (200, 128, 128))
    found, expected = predict(taught, other), predict(whole, other)
    torch.testing.assert_close(found.anomaly_map, expected.anomaly_map, rtol=2e-3, atol=2e-3)
    assert found.raw_score == pytest.approx(expected.raw_score, rel=2e-3)


def test_lessons_of_the_same_reviews_are_equal_whatever_came_before(trained: Trained, tmp_path: Path) -> None:
    base = copied(trained("patchcore"), tmp_path)
    repository = ModelRepository(tmp_path)
    lessons = [reviewed(f"h{seed}", "harmless", surface(50 + seed, (0, 0, 255))) for seed in range(3)]
    first = learn(base, lessons[:1]).write(repository)
    again = learn(first, lessons).write(repository)
    at_once = learn(base, lessons[::-1]).write(repository)
    assert (first.version, again.version, at_once.version) == (2, 3, 4)
    one, other = (read_tensors(each.path / WEIGHTS) for each in (again, at_once))
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    records = [read_manifest(each.path) for each in (again, at_once)]
    assert records[0].calibration == records[1].calibration
    assert records[0].taught == records[1].taught


def test_a_taught_version_says_what_it_learned(trained: Trained, tmp_path: Path) -> None:
    base = copied(trained("patchcore"), tmp_path)
    lessons = [
        reviewed("h.png", "harmless", surface(50, (0, 0, 255))),
        reviewed("d.png", "defect", surface(60, (255, 0, 0)), "defect"),
        reviewed("u.png", "unsure", surface(61)),
    ]
    learned = learn(base, lessons)
    entry = learned.write(ModelRepository(tmp_path))
    artifact, known = load_artifact(entry), load_artifact(base)  # reproduces the golden sample
    manifest, taught = artifact.manifest, artifact.manifest.taught
    assert taught is not None and (taught.base, taught.base_digest) == (1, known.digest)
    assert taught.reviews == {each.digest: each.label for each in lessons[:2]}
    assert (manifest.provenance.pictures, manifest.calibration.protocol) == (7, "cross-conformal")
    assert (manifest.calibration.pictures, manifest.calibration.anomalous_pictures) == (8, 1)
    assert manifest.quality is not None and manifest.quality.false_alarms is not None
    assert manifest.quality.false_alarms.pictures == 7
    assert manifest.seen is not None and manifest.seen.fitted is not None and manifest.seen.fitted.pictures == 7
    assert lessons[0].digest in manifest.seen.fitted.digests and lessons[1].digest not in manifest.seen.fitted.digests
    assert predict(artifact.model, surface(70)).raw_score == pytest.approx(
        predict(learned.model, surface(70)).raw_score, rel=1e-4
    )
    evidence, before = artifact.evidence, known.evidence
    assert evidence is not None and before is not None
    assert evidence.names == (*before.names, "h.png") and evidence.reduced[-1] is not None
    bank = artifact.model.detector.normal_patches
    assert bank is not None and len(bank) == len(evidence.pictures) > len(before.pictures)
    text = "\n".join(learned.notes)
    assert "taught from version 1: 1 harmless" in text and "1 of which the review is unsure" in text
    assert "rows" in text and learned.seconds > 0


def test_a_poisoned_bank_still_judges_each_picture_without_its_own_rows(trained: Trained) -> None:
    strange = surface(50, (0, 0, 255))
    learned = learn(trained("patchcore"), [reviewed("h", "harmless", strange)])
    own = predict(learned.model, strange).raw_score
    assert max(learned.thresholds.record.image_values) > 1.5 * own


def test_pictures_that_cannot_be_used_are_named(trained: Trained) -> None:
    def broken() -> torch.Tensor:
        raise InvalidImage("the file is damaged")

    bad = ReviewedPicture("bad.png", "ff", ReviewLabel.harmless, (), broken)
    other = reviewed("wide.png", "harmless", surface(50)[:, :, :128].contiguous())
    learned = learn(trained("padim"), [bad, other, reviewed("good.png", "harmless", surface(51))])
    assert learned.taught.harmless == 1
    text = "\n".join(learned.notes)
    assert "left out: bad.png, which cannot be read: the file is damaged" in text
    assert "left out: wide.png, with 128 x 96 pixels" in text and "pictures with 160 x 96" in text


def test_confirmed_defects_alone_only_set_thresholds(trained: Trained) -> None:
    base = trained("subspace")
    learned = learn(base, [reviewed("d", "defect", surface(60, (255, 0, 0)))])
    assert learned.taught.harmless == learned.taught.patches == 0
    state = load_artifact(base).model.detector.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in learned.model.detector.state_dict().items())


def test_nothing_to_learn_is_said(trained: Trained) -> None:
    def broken() -> torch.Tensor:
        raise OSError("no such file")

    with pytest.raises(NothingToLearn, match=r"no reviewed picture of 'lid' .* 1 of which the review is unsure"):
        learn(trained("subspace"), [reviewed("u", "unsure", surface(50))])
    with pytest.raises(NothingToLearn, match=r"left out: gone\.png, which cannot be read"):
        learn(trained("subspace"), [ReviewedPicture("gone.png", "0", ReviewLabel.harmless, (), broken)])


def test_older_versions_and_lost_bases_say_what_would_work(trained: Trained, models_dir: Path, tmp_path: Path) -> None:
    lessons = [reviewed("h", "harmless", surface(50))]
    with pytest.raises(NotTeachable, match=r"does not keep the scores .* train the model again"):
        learn(ModelRepository(models_dir).find("patchcore", 1), lessons)
    base = copied(trained("subspace"), tmp_path)
    entry = learn(base, lessons).write(ModelRepository(tmp_path))
    base.path.rename(tmp_path / "elsewhere")
    with pytest.raises(NotTeachable, match="taught from version 1, which is not there"):
        learn(entry, lessons)


def test_zones_are_those_of_the_trained_version(trained: Trained, tmp_path: Path) -> None:
    lessons, repository = [reviewed("h", "harmless", surface(50))], ModelRepository(tmp_path)
    base = copied(trained("subspace"), tmp_path)
    zones = Zones((96, 144), (Zone("clamp", ((((0, 0), (40, 0), (40, 40), (0, 40)),),)),))
    zoned = write_zoned(base, repository, zones)
    with pytest.raises(NotTeachable, match="does not keep the scores"):  # those without the zones
        learn(zoned, lessons)
    manifest = read_manifest(base.path)
    assert manifest.seen is not None
    calibrated = write_recalibrated(zoned, repository, manifest.calibration, None, manifest.seen.calibrated)
    entry = learn(calibrated, lessons).write(repository)
    assert read_manifest(entry.path).zones == read_manifest(zoned.path).zones
    load_artifact(entry).test_device(0)  # the golden sample has no zones
    with pytest.raises(NotTeachable, match="has other zones than the version 3 from which it was taught"):
        learn(write_zoned(entry, repository, None), lessons)


def test_a_kill_while_a_version_is_written_leaves_no_version(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base, repository = copied(trained("subspace"), tmp_path), ModelRepository(tmp_path)
    learned = learn(base, [reviewed("h", "harmless", surface(50))])

    def killed(_: object, path: Path) -> None:
        path.write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a fork beside torch's threads: the child uses none
        child = os.fork()
    if child == 0:
        monkeypatch.setattr("app.artifacts.writer.write_tensors", killed)
        learned.write(repository)
        os._exit(1)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
    assert [each.version for each in repository.versions("lid")] == [1]
    assert learned.write(repository).version == 2
    assert repository.sweep() == []  # writing has removed what the kill left


def test_a_student_is_fine_tuned_and_keeps_what_it_knew(trained: Trained) -> None:
    base = trained("stfpm")
    lessons = [reviewed(f"h{seed}", "harmless", surface(50 + seed, (0, 0, 255)), "harmless") for seed in range(6)]
    defect = reviewed("d", "defect", surface(60, (255, 0, 0)), "defect")
    before, learned = load_artifact(base).model, learn(base, [*lessons, defect])
    harmless, usual = surface(70, (0, 0, 255)), surface(71)
    assert peak(learned.model, harmless) < 0.9 * peak(before, harmless)
    found, former = predict(learned.model, usual).anomaly_map, predict(before, usual).anomaly_map
    assert float(found.mean()) < 1.5 * float(former.mean())
    known = learned.base.manifest.calibration.thresholds
    assert known is not None and learned.thresholds.pictures == len(known.image_values) + 1  # one is held out
    assert (learned.taught.harmless, len(learned.taught.reviews)) == (5, 7)
    assert "no second stage: stfpm can have none; subspace, patchcore and fusion can" in learned.notes
    backbone = {key: value for key, value in before.detector.state_dict().items() if key.startswith("backbone")}
    assert all(torch.equal(value, learned.model.detector.state_dict()[key]) for key, value in backbone.items())


def copied(entry: Entry, root: Path) -> Entry:
    """A copy of a version in another repository, so that tests may write beside it."""
    shutil.copytree(entry.path.parent, root / entry.name)
    return ModelRepository(root).find(entry.name)
