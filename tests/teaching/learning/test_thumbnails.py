"""Models with thumbnails that learn from reviewed pictures, from the artifact to the proved candidate."""

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import torch
from PIL import Image

from app.artifacts import Entry, ModelRepository, load_artifact
from app.artifacts.manifest import MANIFEST, WEIGHTS
from app.data import Folder
from app.detectors import Detector, Fusion, Patchcore, Subspace, WithThumbnail, with_thumbnail
from app.detectors.thumbnail_fitter import LAYOUT
from app.errors import NotTeachable
from app.files import digest
from app.pipeline import TiledModel, predict
from app.progress import silent
from app.reviews import ReviewedPicture, ReviewedRegion, ReviewLabel
from app.scoring import ScoreRule
from app.teaching.learning import learn
from app.teaching.proof import Doubt, ProofResult
from app.teaching.taught import teach, write_candidate
from app.tensor_files import read_tensors, write_tensors
from app.tiling import PaddingFill, Tiling, TilingMode
from app.training import Recipe, plan_training, train
from tests.conftest import draw_surface
from tests.teaching.kept import BLUE, RED, filled
from tests.teaching.surfaces import reviewed, surface

CPU, NAME = torch.device("cpu"), "lid"
KINDS = ("subspace", "patchcore", "whitened", "fusion")
TILING = Tiling(tile_size=64, mode=TilingMode.cover, padding_fill=PaddingFill.reflect, thumbnail=True)
Trained = Callable[[str], Entry]


def detector(kind: str) -> Detector:
    torch.manual_seed(0)
    if kind == "fusion":
        options = {"patchcore": {"coreset_sampling_ratio": 0.1}}
        return Fusion("resnet18", ("layer1",), options=options, pre_trained=False)
    if kind == "subspace":
        return Subspace("resnet18", ("layer1",), pre_trained=False)
    whitening = kind == "whitened"
    return Patchcore(
        "resnet18",
        ("layer2",),
        pre_trained=False,
        coreset_sampling_ratio=0.2,
        score=ScoreRule.top,
        whitening=whitening,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A function that trains a detector of this kind on six surfaces, once."""
    return cache(lambda kind: train_on(tmp_path_factory.mktemp(kind), kind, 6))


def train_on(root: Path, kind: str, count: int) -> Entry:
    folder = root / "good"
    folder.mkdir()
    for number in range(count):
        Image.fromarray(draw_surface(number)).save(folder / f"{number:02}.png")
    recipe = Recipe(
        with_thumbnail(detector(kind), TILING), Folder(str(folder), num_workers=0), TILING, seed=0, assess=False
    )
    return train(recipe, plan_training(recipe, CPU), ModelRepository(root / "models"), NAME, CPU, silent)


def peak(model: TiledModel, picture: torch.Tensor) -> float:
    return float(predict(model, picture).anomaly_map.max())


def parts(model: TiledModel) -> WithThumbnail:
    assert isinstance(model.detector, WithThumbnail)
    return model.detector


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_harmless_is_learned_and_defects_are_not(trained: Trained, tmp_path: Path, kind: str) -> None:
    base = trained(kind)
    lessons = [reviewed(f"h{seed}", "harmless", surface(50 + seed, BLUE), "harmless") for seed in range(4)]
    defects = [reviewed(f"d{seed}", "defect", surface(60 + seed, RED), "defect") for seed in range(2)]
    before, learned = load_artifact(base).model, learn(base, [*lessons, *defects])
    harmless, defect = surface(70, BLUE), surface(71, RED)
    assert peak(learned.model, harmless) < 0.85 * peak(before, harmless)
    assert peak(learned.model, defect) > 0.7 * peak(before, defect)
    calibration = learned.model.calibration
    assert calibration is not None and predict(learned.model, defect).raw_score > calibration.image_threshold
    assert torch.equal(parts(learned.model).scales, parts(before).scales)
    in_stain = parts(learned.model).layout.counts - parts(before).layout.counts
    assert set(in_stain.flatten().tolist()) == {0, 4}  # the cells within the stains, of each of the four
    stride = before.detector.feature_strides[0]
    assert learned.taught.patches == 4 * (16 // stride) * (24 // stride) + int(in_stain.sum())
    written = load_artifact(learned.write(ModelRepository(tmp_path)))  # reproduces the golden sample
    assert predict(written.model, harmless).raw_score == pytest.approx(
        predict(learned.model, harmless).raw_score, rel=1e-4
    )
    if kind != "subspace" and kind != "fusion":
        bank, known = written.model.detector.normal_patches, before.detector.normal_patches
        assert written.evidence is not None and bank is not None and known is not None
        assert len(bank) == len(written.evidence.pictures) > len(known)


def test_teaching_equals_training_on_all_pictures_but_for_the_scales(trained: Trained, tmp_path: Path) -> None:
    lessons = [reviewed(f"{seed}", "harmless", surface(seed)) for seed in range(6, 10)]
    taught, whole = learn(trained("subspace"), lessons).model, load_artifact(train_on(tmp_path, "subspace", 10)).model
    parts(whole).scales = parts(taught).scales
    other = surface(70, (200, 128, 128))
    found, expected = predict(taught, other), predict(whole, other)
    torch.testing.assert_close(found.anomaly_map, expected.anomaly_map, rtol=2e-3, atol=2e-3)


def test_held_out_pictures_are_judged_by_a_layout_that_does_not_know_them(trained: Trained) -> None:
    """Each picture is far for a model that has not learned it, although the model that has learned it is near."""
    learned = learn(trained("subspace"), [reviewed("h", "harmless", surface(50, BLUE))])
    own = predict(learned.model, surface(50, BLUE)).raw_score
    base = predict(learned.base.model, surface(50, BLUE)).raw_score
    assert max(learned.thresholds.record.image_values) == pytest.approx(base, rel=1e-3)
    assert own < 0.9 * base


def test_cells_beside_a_defect_are_not_learned_by_the_thumbnail(trained: Trained) -> None:
    base = trained("subspace")
    picture = reviewed("d", "defect", surface(50, RED), "defect")
    beside = ReviewedRegion(ReviewLabel.harmless, (((0.0, 0.0), (160.0, 0.0), (160.0, 96.0), (0.0, 96.0)),))
    both = ReviewedPicture("b", "0f" * 8, ReviewLabel.defect, (*picture.regions, beside), picture.read)
    before, learned = load_artifact(base).model, learn(base, [both])
    added = parts(learned.model).layout.counts - parts(before).layout.counts
    rows, columns = added.shape
    row, column = int(48 * rows / 96), int(112 * columns / 160)  # the middle of the stain
    assert (added[row - 1 : row + 2, column - 1 : column + 2] == 0).all()
    assert added.sum() > 0.8 * added.numel()


def test_a_version_of_an_earlier_program_predicts_the_same_and_says_what_would_work(
    trained: Trained, tmp_path: Path
) -> None:
    made = load_artifact(trained("subspace"))
    repository = copied(trained("subspace"), tmp_path)
    entry = repository.find(NAME)
    state = read_tensors(entry.path / WEIGHTS)
    numbers = f"{LAYOUT}counts", f"{LAYOUT}variance"
    write_tensors({name: each.clone() for name, each in state.items() if name not in numbers}, entry.path / WEIGHTS)
    manifest = json.loads((entry.path / MANIFEST).read_text())
    manifest["files"][WEIGHTS] = digest(entry.path / WEIGHTS)
    (entry.path / MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(NotTeachable, match=r"layout of thumbnails does not know .* train it again"):
        learn(entry, [reviewed("h", "harmless", surface(50))])
    manifest["calibration"]["thresholds"] = None  # as of an earlier version, too: new thresholds would not help
    (entry.path / MANIFEST).write_text(json.dumps(manifest))
    older = load_artifact(entry).model
    for picture in (surface(70), surface(71, RED)):
        found, expected = predict(older, picture), predict(made.model, picture)
        assert found.raw_score == expected.raw_score and torch.equal(found.anomaly_map, expected.anomaly_map)
    with pytest.raises(NotTeachable, match=r"layout of thumbnails does not know .* train it again"):
        learn(entry, [reviewed("h", "harmless", surface(50))])


def test_kept_pictures_teach_and_the_proof_agrees(trained: Trained, tmp_path: Path) -> None:
    repository = copied(trained("subspace"), tmp_path)
    store = filled(tmp_path / "kept", NAME)
    taught = teach(repository, NAME, store, device="cpu")
    proof = taught.proof
    assert proof.result is not ProofResult.refused, proof.reasons
    assert (proof.reviewed, proof.unreviewed, proof.vanished) == (7, 3, 4)
    assert (proof.lost.count, proof.lost.total) == (0, 3)
    assert sum(each.found for each in proof.marks) > 0
    assert write_candidate(repository, taught).version == 2
    store.close()


def test_defects_called_harmless_are_refused(trained: Trained, tmp_path: Path) -> None:
    repository = copied(trained("patchcore"), tmp_path)
    store = filled(tmp_path / "kept", NAME, poison=6, reviewer="otto")
    proof = teach(repository, NAME, store, device="cpu").proof
    assert proof.result is ProofResult.refused and proof.lost.count == 3
    assert {each.reviewer for each in proof.doubts if each.doubt is Doubt.resembles} == {"otto"}
    store.close()


def copied(entry: Entry, root: Path) -> ModelRepository:
    """A repository of one's own with a copy of this version, so that tests may write beside it."""
    shutil.copytree(entry.path.parent, root / entry.name)
    return ModelRepository(root)
