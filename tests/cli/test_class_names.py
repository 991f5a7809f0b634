from pathlib import Path

import pytest
import yaml

from app.cli.usage import UsageError
from app.cli.words import CommandLine


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--model", "padim"], ["--model", "Padim"]),
        (["--model=anomalib.models.ReverseDistillation"], ["--model", "ReverseDistillation"]),
        (["--data", "anomalib.data.MVTecAD", "--data.root", "padim"], ["--data", "MVTec", "--data.root", "padim"]),
        (
            ["--trainer.callbacks+", "anomalib.callbacks.tiler_configuration.TilerConfigurationCallback"],
            ["--trainer.callbacks+", "TilerConfigurationCallback"],
        ),
        (["--calibration", "holdout"], ["--calibration", "HoldOut"]),
        (["--model", '{"class_path": "Padim"}'], ["--model", '{"class_path": "Padim"}']),
        (["Padim", "--name", "data"], ["Padim", "--name", "data"]),
    ],
)
def test_classes_have_several_names(words: list[str], expected: list[str]) -> None:
    assert CommandLine.read(words).words == expected


def test_an_unknown_class_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"--model Padimm .*Padim, Patchcore, Stfpm.*did you mean Padim"):
        CommandLine.read(["--model", "Padimm"])
    with pytest.raises(UsageError, match=r"callbacks lightning\S+ModelPruning .*Tiler"):
        CommandLine.read(["--trainer.callbacks+", "lightning.pytorch.callbacks.ModelPruning"])


def test_anomalibs_names_in_a_file_are_translated(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    callback = {"class_path": "anomalib.callbacks.TilerConfigurationCallback", "init_args": {"tile_size": 64}}
    settings = {
        "model": {"class_path": "anomalib.models.Padim", "init_args": {"backbone": "resnet18"}},
        "data": "anomalib.data.MVTecAD",
        "trainer": {"max_epochs": 1, "callbacks": [callback]},
    }
    path.write_text(yaml.safe_dump(settings))
    option, content = CommandLine.read(["--config", str(path)]).words
    assert option == "--config"
    assert yaml.safe_load(content) == {
        "model": {"class_path": "Padim", "init_args": {"backbone": "resnet18"}},
        "data": "MVTec",
        "trainer": {
            "max_epochs": 1,
            "callbacks": [{"class_path": "TilerConfigurationCallback", "init_args": {"tile_size": 64}}],
        },
    }


def test_a_file_that_needs_no_translation_is_passed_on_unchanged(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    path.write_text("model:\n  class_path: Padim\n")
    assert CommandLine.read(["--config", str(path)]).words == ["--config", str(path)]


def test_the_file_of_a_class_is_read(tmp_path: Path) -> None:
    path = tmp_path / "data.yaml"
    path.write_text("class_path: anomalib.data.MVTecAD\ninit_args:\n  root: pictures\n  eval_batch_size: 32\n")
    line = CommandLine.read(["--data", str(path)])
    assert yaml.safe_load(line.words[1]) == {"class_path": "MVTec", "init_args": {"root": "pictures"}}
    assert "data.eval_batch_size" in line.notes[0]
