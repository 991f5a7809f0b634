"""Datasets and calibration protocols, chosen by flags and by a file."""

import io
import re
import shlex
import socket
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from PIL import Image

from app.artifacts import AlikeRecord, DefectSizeRecord, FalseAlarmRecord, Manifest, QualityRecord, read_manifest
from app.cli import main
from app.cli.training_summary import training_summary
from tests.conftest import draw_surface

MODEL = {"backbone": "resnet18", "layers": ["layer1"], "coreset_sampling_ratio": 0.05, "pre_trained": False}
DATA: dict[str, dict[str, object]] = {
    "Folder": {"root": ".", "normal_dir": "good", "abnormal_dir": ["scratch", "dent"]},
    "CsvList": {"path": "list.csv"},
}
CALIBRATION: dict[str, dict[str, object]] = {
    "HoldOut": {"share": 0.4, "false_positive_rate": 0.1},
    "Labelled": {"false_positive_rate": 0.1},
    "Reference": {},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: ten normal pictures and four others in folders, and a list of all."""
    lines = ["image,label"]
    for number, kind in enumerate(["good"] * 10 + ["scratch"] * 2 + ["dent"] * 2):
        name = f"{kind}/{number}.png"
        (tmp_path / kind).mkdir(exist_ok=True)
        Image.fromarray(draw_surface(number, 64, 64)).save(tmp_path / name)
        lines.append(f"{name},{kind}")
    (tmp_path / "list.csv").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def flags(name: str, options: dict[str, dict[str, object]], group: str) -> list[str]:
    values = ((f"--{group}.{key}", str(value).replace("'", "")) for key, value in options[name].items())
    return [f"--{group}", name, *(word for pair in values for word in pair)]


def manifests(folder: Path) -> list[Manifest]:
    return [read_manifest(path) for path in sorted((folder / "models/x").glob("[0-9]*"))]


@pytest.mark.parametrize(
    ("data", "calibration"), [("Folder", "HoldOut"), ("CsvList", "Labelled"), ("Folder", "Reference")]
)
def test_datasets_and_protocols_are_chosen_by_flags_and_by_a_file(folder: Path, data: str, calibration: str) -> None:
    common = ["--data.val_split_mode", "from_test", "--data.num_workers", "0", "--tiling.enable", "false"]
    common += ["--assess", "false"]
    model = flags("Patchcore", {"Patchcore": MODEL}, "model")
    chosen = [*flags(data, DATA, "data"), *flags(calibration, CALIBRATION, "calibration")]
    assert main(["train", *model, *chosen, *common, "--name", "x"]) == 0
    settings = {
        "model": {"class_path": "Patchcore", "init_args": MODEL},
        "data": {"class_path": data, "init_args": DATA[data] | {"val_split_mode": "from_test", "num_workers": 0}},
        "calibration": {"class_path": calibration, "init_args": CALIBRATION[calibration]},
        "tiling": {"enable": False},
        "assess": False,
        "name": "x",
    }
    (folder / "train.yaml").write_text(yaml.safe_dump(settings))
    assert main(["train", "--config", "train.yaml"]) == 0
    first, second = manifests(folder)
    assert (first.files, first.calibration) == (second.files, second.calibration)
    fitted_to, pictures, anomalous = {"HoldOut": (5, 3, 0)}.get(calibration, (8, 3, 2))
    counts = first.provenance.pictures, first.calibration.pictures, first.calibration.anomalous_pictures
    assert counts == (fitted_to, pictures, anomalous)


@pytest.mark.parametrize("calibration", [{"share": 0.4}, {"class_path": "HoldOut", "init_args": {"share": 0.4}}])
def test_the_default_protocol_need_not_be_named(folder: Path, calibration: dict[str, object]) -> None:
    model = flags("Patchcore", {"Patchcore": MODEL}, "model")
    common = ["--data", "Folder", "--data.root", "good", "--data.num_workers", "0", "--tiling.enable", "false"]
    assert main(["train", *model, *common, "--calibration.share", "0.4", "--name", "x"]) == 0
    (folder / "calibration.yaml").write_text(yaml.safe_dump({"calibration": calibration}))
    assert main(["train", "--config", "calibration.yaml", *model, *common, "--name", "x"]) == 0
    assert [manifest.calibration.pictures for manifest in manifests(folder)] == [4, 4]


def test_the_score_the_blur_and_whitening_are_options_that_the_manifest_records(folder: Path) -> None:
    model = {**MODEL, "score": "top", "blur_sigma": 2.5, "whitening": "true"}
    common = ["--data", "Folder", "--data.root", "good", "--data.num_workers", "0", "--tiling.enable", "false"]
    assert main(["train", *flags("Patchcore", {"Patchcore": model}, "model"), *common, "--name", "x"]) == 0
    (parameters,) = [manifest.detector.parameters for manifest in manifests(folder)]
    assert [parameters[name] for name in ("score", "blur_sigma", "whitening")] == ["top", 2.5, True]
    assert main(["models", "verify"]) == 0


def test_pictures_that_are_left_out_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "good/3.png").write_bytes(b"no picture")
    model = flags("Patchcore", {"Patchcore": MODEL}, "model")
    common = ["--data", "Folder", "--data.root", "good", "--data.num_workers", "0", "--tiling.enable", "false"]
    assert main(["train", *model, *common, "--name", "x"]) == 1
    assert "1 of 10 pictures cannot be read: good/3.png" in capsys.readouterr().err
    assert main(["train", *model, *common, "--name", "x", "--data.on_unreadable", "skip"]) == 0
    assert "left out: good/3.png" in capsys.readouterr().err


def test_a_note_warns_of_thresholds_from_a_single_picture(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for path in sorted((folder / "good").glob("*.png"))[1:]:
        path.unlink()
    model = flags("Patchcore", {"Patchcore": MODEL}, "model")
    common = ["--data", "Folder", "--data.root", "good", "--data.num_workers", "0", "--tiling.enable", "false"]
    assert main(["train", *model, *common, "--name", "x"]) == 0
    assert "note: the only picture is trained and calibrated on" in capsys.readouterr().err


def test_the_end_of_a_training_says_what_was_measured_and_what_comes_next(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = flags("Folder", DATA, "data")
    given = ["--model", "Subspace", *data, "--data.num_workers", "0", "--tiling.tile_size", "64", "--name", "x"]
    assert main(["train", *given]) == 0
    said = capsys.readouterr().err
    (manifest,) = manifests(folder)
    assert (
        f"a raw score of {manifest.calibration.image_threshold:.4g} (0.5 in answers), from 8 pictures, for 5.0%" in said
    )
    assert re.search(r"^duration: 0:00:\d\d$", said, re.MULTILINE)
    lines = [line.strip() for line in said.splitlines()]
    commands = [line for line in lines[lines.index("next:") + 1 :] if line]
    assert [command.split()[1] for command in commands] == ["evaluate", "predict", "serve"]
    assert main(shlex.split(commands[0])[1:]) == 0


def test_the_summary_has_no_line_for_what_was_not_measured() -> None:
    calibration = SimpleNamespace(image_threshold=2.5, pictures=40, false_positive_rate=None)
    quality = QualityRecord(
        false_alarms=FalseAlarmRecord(pictures=160, exceeded=7, low=0.018, high=0.088),
        defects=(DefectSizeRecord(diameter=12, tried=10, found=10),),
    )
    none, half, whole = (
        list(training_summary(SimpleNamespace(calibration=calibration, quality=each), 75))  # type: ignore[arg-type]  # has what is read
        for each in (None, QualityRecord(), quality)
    )
    assert none == half == ["threshold: a raw score of 2.5 (0.5 in answers), from 40 pictures", "duration: 0:01:15"]
    assert "7 of 160 (1.8% to 8.8%)" in whole[1]
    assert "10 of 10 of 12 pixels" in whole[2]
    assert "12 pixels" in whole[3]
    for alike, words in ((39, "the pictures do not differ: 39 of 40"), (2, "pictures are alike: 2 of 40")):
        record = AlikeRecord(pictures=40, alike=alike, example=("b.png", "a.png"))
        copies = SimpleNamespace(calibration=calibration, quality=QualityRecord(alike=record))
        note = list(training_summary(copies, 75))[1]  # type: ignore[arg-type]
        assert words in note and "such as b.png from a.png" in note
    missed = QualityRecord(defects=(DefectSizeRecord(diameter=12, tried=10, found=8),))
    lines = list(training_summary(SimpleNamespace(calibration=calibration, quality=missed), 75))  # type: ignore[arg-type]
    assert "none; what finds more: --model Auto" in lines[2]


@pytest.mark.parametrize("model", ["Patchcore", "Stfpm"])
def test_a_folder_is_trained_on_without_a_network_and_without_naming_a_backbone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("there is no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    given = ["--data", "Folder", "--data.root", "good", "--data.num_workers", "0", "--tiling.tile_size", "64"]
    short = ["--trainer.max_epochs", "1"] if model == "Stfpm" else []
    assert main(["train", "--model", model, *given, *short, "--name", "x"]) == 0
    assert "backbone: resnet18, weights: tessera_resnet18, which come with the program" in capsys.readouterr().err
    (manifest,) = manifests(folder)
    assert manifest.provenance.backbone_weights == "tessera_resnet18"


def test_auto_trains_the_candidate_that_it_chooses(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = '["Subspace map", "PatchCore patch"]'
    given = ["--data", "Folder", "--data.root", "good", "--data.num_workers", "0", "--tiling.tile_size", "32"]
    assert main(["train", "--model", "auto", "--model.candidates", names, *given, "--name", "x"]) == 0
    printed = capsys.readouterr().err
    (manifest,) = manifests(folder)
    assert manifest.quality is not None
    tried = {record.name: record.chosen for record in manifest.quality.candidates}
    assert set(tried) == {"Subspace map", "PatchCore patch"}
    (winner,) = (name for name, chosen in tried.items() if chosen)
    assert manifest.detector.name == winner.split()[0].lower()
    assert f"auto: {winner}, the " in printed
    assert [record.diameter for record in manifest.quality.defects] == [4, 8, 16]
    assert (
        main(["train", "--model", "auto", "--model.candidates", names, *given, "--assess", "false", "--name", "x"]) == 0
    )
    quality = manifests(folder)[1].quality
    assert quality is not None and quality.defects == ()
    assert quality.candidates == manifest.quality.candidates


@pytest.fixture
def contaminated(folder: Path) -> Path:
    """The working directory, with a stain in one of its ten good pictures."""
    picture = draw_surface(3, 64, 64)
    picture[20:36, 20:36] = (255, 0, 0)
    Image.fromarray(picture).save(folder / "good/3.png")
    return folder


TRAIN_GOOD = [
    *("train", "--model", "Subspace", "--model.layers", "[layer1]"),
    *("--data", "Folder", "--data.root", "good", "--data.num_workers", "0"),
    *("--tiling.enable", "false", "--assess", "false", "--name", "x"),
]


def test_a_picture_unlike_the_rest_is_named_with_the_option_that_leaves_it_out(
    contaminated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(TRAIN_GOOD) == 0
    printed = capsys.readouterr().err
    assert "1 of 10 pictures look least like the rest" in printed and "good/3.png" in printed
    assert "to leave them out: --data.exclude '[3.png]'" in printed
    assert main([*TRAIN_GOOD, "--data.exclude", "[3.png]"]) == 0
    printed = capsys.readouterr().err
    assert "least like the rest" not in printed and "left out: 1 picture by data.exclude (3.png)" in printed
    first, second = manifests(contaminated)
    assert (first.provenance.pictures, second.provenance.pictures) == (10, 9)
    assert first.quality is not None and first.quality.unlike == ("3.png",)
    assert second.quality is not None and second.quality.unlike == ()


@pytest.mark.parametrize(("answer", "pictures"), [("y", 9), ("", 10)])
def test_a_terminal_is_asked_whether_to_leave_it_out(
    contaminated: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], answer: str, pictures: int
) -> None:
    monkeypatch.setattr("app.cli.unlike.can_ask", lambda: True)
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{answer}\n"))
    assert main(TRAIN_GOOD) == 0
    assert "Leave them out, and train again? [y/N]" in capsys.readouterr().err
    (manifest,) = manifests(contaminated)
    assert manifest.provenance.pictures == pictures
