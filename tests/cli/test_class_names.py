from pathlib import Path

import pytest
import yaml

from app.cli.class_names import translate_class_names
from app.errors import InvalidTraining


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--model", "padim"], ["--model", "Padim"]),
        (["--model=anomalib.models.ReverseDistillation"], ["--model=ReverseDistillation"]),
        (["--data", "anomalib.data.MVTecAD", "--data.root", "padim"], ["--data", "MVTec", "--data.root", "padim"]),
        (
            ["--trainer.callbacks+", "anomalib.callbacks.tiler_configuration.TilerConfigurationCallback"],
            ["--trainer.callbacks+", "TilerConfigurationCallback"],
        ),
        (["--calibration", "holdout"], ["--calibration", "HoldOut"]),
        (["--model", '{"class_path": "Padim"}'], ["--model", '{"class_path": "Padim"}']),
        (["predict", "Padim", "--name", "data"], ["predict", "Padim", "--name", "data"]),
        (["train", "--config", "nowhere.yaml"], ["train", "--config", "nowhere.yaml"]),
    ],
)
def test_classes_have_several_names(words: list[str], expected: list[str]) -> None:
    assert translate_class_names(words) == expected


def test_an_unknown_class_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidTraining, match=r"--model Padimm .*Padim, Patchcore, Stfpm"):
        translate_class_names(["train", "--model", "Padimm"])
    with pytest.raises(InvalidTraining, match=r"callbacks\.ModelCheckpoint .*Tiler"):
        translate_class_names(["--trainer.callbacks+", "lightning.pytorch.callbacks.ModelCheckpoint"])


def test_anomalibs_names_in_a_file_are_translated(tmp_path: Path) -> None:
    path = tmp_path / "train.yaml"
    callback = {"class_path": "anomalib.callbacks.TilerConfigurationCallback", "init_args": {"tile_size": 64}}
    settings = {
        "model": {"class_path": "anomalib.models.Padim", "init_args": {"backbone": "resnet18"}},
        "data": "anomalib.data.MVTecAD",
        "trainer": {"max_epochs": 1, "callbacks": [callback]},
    }
    path.write_text(yaml.safe_dump(settings))
    option, content = translate_class_names(["--config", str(path)])
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
    assert translate_class_names(["--config", str(path)]) == ["--config", str(path)]
    path.write_text("{")
    assert translate_class_names(["--config", str(path)]) == ["--config", str(path)]
