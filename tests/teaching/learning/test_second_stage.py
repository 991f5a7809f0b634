"""Confirmed defects become a second stage: its parts on numbers, and small models that learn it."""

from functools import cache, partial
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.api.schemas.model import DetailsBody
from app.artifacts import Entry, ModelRepository, load_artifact
from app.cli import main
from app.data import Folder, picture_digest
from app.detectors import Detector, Patchcore, PatchDetector, Subspace, with_thumbnail
from app.pipeline import TiledModel, predict
from app.progress import silent
from app.reviews import ReviewedPicture, ReviewedRegion, ReviewLabel
from app.scoring import ScoreRule
from app.teaching.learning import Learned, learn
from app.teaching.learning.choice import FEWEST_DEFECTS, FEWEST_HARMLESS
from app.teaching.learning.gain import Gain, gain_of, partial_area
from app.teaching.learning.logistic import logistic_regression
from app.teaching.learning.picks import Picks, picks_of
from app.teaching.learning.second_stage import FOLDS, fit_second_stages
from app.teaching.proof import ProofResult
from app.teaching.proof.pictures import KnownPicture
from app.teaching.proof.prove import prove
from app.tiling import Tiling
from app.training import Recipe, plan_training, train
from tests.conftest import draw_surface

CPU = torch.device("cpu")
ONE_TILE = Tiling(tile_size=32, stride=32)
AREA = ((12.0, 8.0), (28.0, 8.0), (28.0, 24.0), (12.0, 24.0))


def test_the_regression_ends_where_its_gradient_is_zero() -> None:
    generator = torch.Generator().manual_seed(0)
    patches = torch.randn(400, 5, generator=generator, dtype=torch.float64)
    sides = torch.sign(patches[:, 0] + 0.5 * torch.randn(400, generator=generator))
    weights, ridge = torch.full((400,), 1 / 400, dtype=torch.float64), 0.1 * torch.eye(5, dtype=torch.float64)
    found = [each.clone().requires_grad_() for each in logistic_regression(patches, sides, weights, ridge)]
    odds = patches @ found[0] + found[1]
    loss = (weights * torch.nn.functional.softplus(-sides * odds)).sum() + found[0] @ ridge @ found[0] / 2
    loss.backward()  # type: ignore[no-untyped-call]
    assert all(each.grad is not None and float(each.grad.abs().max()) < 1e-5 for each in found)
    assert float((odds.sign() == sides).double().mean()) > 0.8


def test_the_partial_area_counts_recall_where_alarms_are_few() -> None:
    normal = np.arange(100.0)
    assert partial_area(normal, np.array([200.0])) == 1
    assert partial_area(normal, np.array([89.5])) == 0  # a threshold below it has more than 10 % false alarms
    assert partial_area(normal, np.array([94.5])) == 0.5
    assert partial_area(normal, np.array([99.0])) == pytest.approx(0.95)  # a tie with the highest one counts half


def test_a_gain_has_to_exceed_its_standard_error() -> None:
    random = np.random.default_rng(0)
    normal = [(value, value) for value in random.normal(0, 1, 50)]
    same = [(value, value) for value in random.normal(1, 1, 10)]
    assert gain_of(normal, same) == Gain(0, 0) and not Gain(0, 0).is_clear
    better = gain_of(normal, [(first, first + 3) for first, _ in same])
    assert better.is_clear and better.value > 2 * better.error > 0
    assert not gain_of(normal, [(first, first + 3 * (number == 0)) for number, (first, _) in enumerate(same)]).is_clear


def test_a_second_stage_without_a_picture_does_not_depend_on_it() -> None:
    def picks(shift: float) -> dict[int, Picks]:
        generator, none = torch.Generator().manual_seed(0), torch.empty(0, 4)
        drawn = [torch.randn(30, 4, generator=generator) for _ in range(80)]
        drawn[3] = drawn[3] + shift
        defects = {number: Picks(each + 2, none, none) for number, each in enumerate(drawn[:20])}
        return defects | {20 + number: Picks(none, each[:10], each[10:]) for number, each in enumerate(drawn[20:])}

    one, other = (fit_second_stages(picks(shift)) for shift in (0.0, 5.0))
    assert torch.equal(one.without(3).weight, other.without(3).weight)
    assert not torch.equal(one.without(10).weight, other.without(10).weight)
    assert not torch.equal(one.whole.weight, other.whole.weight)
    assert sorted(one.fold_of.values()) == sorted([*range(FOLDS)] * 8)  # two defects and six harmless pictures each


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Entry:
    torch.manual_seed(0)
    return trained(Subspace("resnet18", ("layer1",), pre_trained=False), tmp_path_factory.mktemp("subspace"))


def trained(detector: Detector, root: Path, tiling: Tiling = ONE_TILE) -> Entry:
    """A model that is trained on six surfaces of 32 x 32."""
    (root / "good").mkdir()
    for number in range(6):
        Image.fromarray(draw_surface(number, 32, 32)).save(root / f"good/{number}.png")
    data = Folder(str(root / "good"), num_workers=0)
    recipe = Recipe(detector, data, tiling, seed=0, assess=False)
    return train(recipe, plan_training(recipe, CPU), ModelRepository(root / "models"), "lid", CPU, silent)


@cache
def picture(seed: int, kind: str) -> torch.Tensor:
    """A surface with a stain: harmless ones vary in green and blue, defects are faintly red, others have stripes."""
    found, random = draw_surface(seed, 32, 32).astype(float), np.random.default_rng(seed)
    area = found[8:24, 12:28]
    if kind == "harmless":
        area += random.normal(0, 1, 3) * random.uniform(0.2, 2.5) * (2, 20, 20)
    elif kind == "defect":
        area += random.uniform(10, 30) * np.array((1, -0.5, -0.5))
    else:
        area[:] = np.where(np.indices((16, 16)).sum(0)[..., None] % 8 < 4, 70, 190)
    return torch.from_numpy(found.clip(0, 255).astype(np.uint8)).permute(2, 0, 1).contiguous()


def reviewed(seed: int, kind: str) -> ReviewedPicture:
    return shown(f"{kind}{seed}", seed, kind, kind)


def shown(name: str, seed: int, kind: str, label: str) -> ReviewedPicture:
    """A picture of a kind with its review; a defect has its region."""
    called = ReviewLabel(label)
    regions = (ReviewedRegion(called, (AREA,)),) if called is ReviewLabel.defect else ()
    return ReviewedPicture(name, picture_digest(name.encode()), called, regions, partial(picture, seed, kind))


def lessons(defects: int = FEWEST_DEFECTS, harmless: int = FEWEST_HARMLESS) -> list[ReviewedPicture]:
    return [
        *(reviewed(100 + each, "harmless") for each in range(harmless)),
        *(reviewed(300 + each, "defect") for each in range(defects)),
    ]


def test_many_pictures_contribute_few_patches_each(base: Entry) -> None:
    model = load_artifact(base).model
    prepared, inside = model.prepare(picture(100, "harmless")), torch.zeros(8, 8, dtype=torch.bool)
    inside[2:6, 3:7] = True

    def picks(inside: torch.Tensor | None, pictures: int) -> tuple[int, ...]:
        assert isinstance(model.detector, PatchDetector)
        found = picks_of(model.detector, prepared, model.outputs(prepared), inside, pictures, seed=0)
        return len(found.defect), len(found.farthest), len(found.usual)

    assert picks(None, 100) == (0, 50, 50) and picks(None, 5000) == (0, 2, 2)
    assert picks(inside, 100) == (8, 0, 0)  # half of the 16 cells
    assert picks(inside, 5000) == (2, 0, 0)


@pytest.fixture(scope="module")
def taught(base: Entry) -> Learned:
    return learn(base, lessons())


def found(model: TiledModel, kind: str) -> float:
    """The share of 20 other pictures of a kind that are over the threshold."""
    assert model.calibration is not None
    scores = [predict(model, picture(500 + seed, kind)).raw_score for seed in range(20)]
    return float(np.mean(np.array(scores) > model.calibration.image_threshold))


def test_defects_like_confirmed_ones_are_found_and_others_are_not_silenced(base: Entry, taught: Learned) -> None:
    without = learn(base, lessons(), second_stage=False)
    assert without.taught.second_stage is None
    assert found(taught.model, "defect") > found(without.model, "defect") + 0.3
    assert found(taught.model, "harmless") <= 0.15
    assert found(taught.model, "stripes") == 1  # nobody ever confirmed such a defect


def test_a_memory_bank_gets_one_too(tmp_path: Path) -> None:
    """With the rule `patch`, the score is that of the farthest patch by its changed distance."""
    torch.manual_seed(0)
    whitened = Patchcore("resnet18", ("layer1",), pre_trained=False, num_neighbors=3, whitening=True)
    entry = trained(whitened, tmp_path)
    with_stage, without = (learn(entry, lessons(), second_stage=each).model for each in (True, False))
    assert found(with_stage, "defect") > found(without, "defect") + 0.3
    assert found(with_stage, "harmless") <= 0.15
    assert found(with_stage, "stripes") == 1


def test_the_tiles_of_a_model_with_a_thumbnail_get_one(tmp_path: Path) -> None:
    torch.manual_seed(0)
    tiling = Tiling(tile_size=16, stride=16, thumbnail=True)
    detector = with_thumbnail(Subspace("resnet18", ("layer1",), pre_trained=False, score=ScoreRule.top), tiling)
    entry = trained(detector, tmp_path, tiling)
    with_stage, without = (learn(entry, lessons(), second_stage=each) for each in (True, False))
    assert with_stage.taught.second_stage is not None
    assert found(with_stage.model, "defect") > found(without.model, "defect") + 0.1
    assert found(with_stage.model, "stripes") == 1
    model = load_artifact(with_stage.write(ModelRepository(tmp_path / "models"))).model
    shown = picture(500, "defect")
    assert predict(model, shown).raw_score == pytest.approx(predict(with_stage.model, shown).raw_score, rel=1e-5)
    assert predict(model, shown).raw_score > predict(without.model, shown).raw_score


def test_the_held_out_gain_is_said_and_only_reviewed_pictures_set_the_thresholds(taught: Learned) -> None:
    record = taught.taught.second_stage
    assert record is not None and (record.defects, record.harmless) == (FEWEST_DEFECTS, FEWEST_HARMLESS)
    assert record.gain > record.gain_error > 0
    assert "with a second stage: the recall of held-out defects" in "\n".join(taught.notes)
    assert len(taught.thresholds.record.image_values) == FEWEST_HARMLESS
    level, scores = taught.normal_level, taught.thresholds.record.pixel_values
    assert level is not None and scores[0] < level < 2 * scores[-1]


def test_a_version_with_a_second_stage_predicts_as_it_did_in_memory(
    base: Entry, taught: Learned, capsys: pytest.CaptureFixture[str]
) -> None:
    repository = ModelRepository(base.path.parent.parent)
    entry = taught.write(repository)
    artifact = load_artifact(entry)  # reproduces the golden sample
    detector, other = artifact.model.detector, picture(600, "defect")
    assert isinstance(detector, PatchDetector) and detector.second_stage is not None
    assert "with a second stage" in detector.description
    assert torch.equal(predict(artifact.model, other).anomaly_map, predict(taught.model, other).anomaly_map)
    body = DetailsBody.of(artifact).second_stage
    assert body is not None and (body.defects, body.harmless) == (FEWEST_DEFECTS, FEWEST_HARMLESS)
    assert main(["models", "list", "--models_dir", str(repository.root)]) == 0
    assert "second stage" in capsys.readouterr().out  # the words of a cell may be on several lines
    again = learn(entry, lessons(9))  # begins with the trained version, which has none
    assert isinstance(again.model.detector, PatchDetector) and again.model.detector.second_stage is None
    assert "no second stage: it needs 10 pictures" in "\n".join(again.notes) and "there are 9 and 50" in "\n".join(
        again.notes
    )


def test_defects_that_look_like_harmless_stains_give_no_second_stage(base: Entry) -> None:
    found = learn(base, [*lessons(0), *(shown(f"s{seed}", seed, "harmless", "defect") for seed in range(700, 710))])
    assert found.taught.second_stage is None
    assert "no second stage: the recall of held-out defects" in "\n".join(found.notes)


def test_a_candidate_that_learned_defects_as_harmless_is_refused(base: Entry) -> None:
    """Reviews that call defects harmless do not get past the proof because other defects were confirmed."""
    defects = [shown(f"c{seed}", seed, "stripes", "defect") for seed in range(800, 810)]
    poison = [shown(f"p{seed}", seed, "stripes", "harmless") for seed in range(900, 920)]
    reviews = [*lessons(0), *defects, *poison]
    learned = learn(base, reviews)
    pictures = [KnownPicture(each.digest[:16], each.name, each.digest, each, "", each.read) for each in reviews]
    proof = prove(load_artifact(base), learned.model, pictures, held_out=learned.thresholds.alarms)
    assert proof.result is ProofResult.refused
    assert any("confirmed defects would be lost" in each for each in proof.reasons), proof.reasons
