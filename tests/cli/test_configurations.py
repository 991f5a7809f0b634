"""Configuration files with keys that are empty, unknown, or anomalib's."""

from pathlib import Path

import pytest
import yaml

from app.cli import main
from app.cli.commands import COMMANDS, parse
from app.cli.options import Options, options_of_class
from app.cli.value_types import fits
from app.cli.words import CommandLine

LABELLED = {"class_path": "MVTec", "init_args": {"root": "nowhere", "category": "cat"}}
CONTENTS: dict[str, dict[str, object]] = {
    "train": {
        "model": {"class_path": "Patchcore", "init_args": {"layers": ["layer2"]}},
        "data": LABELLED,
        "tiling": {"tile_size": [64, 64]},
        "trainer": {"max_epochs": 1, "callbacks": [{"class_path": "EarlyStopping", "init_args": {"patience": 2}}]},
        "calibration": {"class_path": "HoldOut", "init_args": {"share": 0.5}},
        "name": "x",
    },
    "evaluate": {"name": "x", "data": LABELLED, "output": "o"},
    "compare": {"first": "x", "second": "y", "data": LABELLED, "output": "o"},
    "calibrate": {"name": "x", "data": LABELLED, "recall": 0.5},
    "import": {"file": "x.ckpt", "name": "x", "tiling": {"tile_size": 64}},
    "serve": {"port": 0, "models_dir": "nowhere"},
}


def written(path: Path, content: object) -> str:
    path.write_text(yaml.safe_dump(content))
    return str(path)


def options_of(command: str) -> list[str]:
    """All options of a command, those of its classes included, as keys of a file."""
    options = Options.of(COMMANDS[command].load().parser())
    found = [*options.plain, *options.classes]
    for name in options.classes:
        spec = CONTENTS[command].get(name)
        if isinstance(spec, dict):
            found += options_of_class(name, spec["class_path"])
    return [*found, *options.groups]


@pytest.mark.parametrize(
    ("command", "name"), [(command, name) for command in CONTENTS for name in sorted(set(options_of(command)))]
)
def test_an_empty_key_is_named_in_one_line_or_means_the_default(
    command: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    content: dict[str, object] = yaml.safe_load(yaml.safe_dump(CONTENTS[command]))
    group, _, leaf = name.rpartition(".")
    holder(content, group)[leaf] = None
    status = run_until_work(command, ["--config", written(tmp_path / "c.yaml", content)])
    error = capsys.readouterr().err
    assert "unexpected" not in error and "Traceback" not in error
    if status == 2:
        assert "c.yaml, line " in error and leaf in error and "is empty" in error
        assert len(error.strip().splitlines()) <= 2


def holder(content: dict[str, object], group: str) -> dict[str, object]:
    """The mapping that holds the options of a group, or of the class of a group."""
    found: object = content
    for part in filter(None, group.split(".")):
        assert isinstance(found, dict)
        found = found.setdefault(part, {})
    if isinstance(found, list):
        found = found[0]
    assert isinstance(found, dict)
    own: dict[str, object] = found.get("init_args", found)
    return own


def run_until_work(command: str, words: list[str]) -> int:
    """The exit status of a command; a server is not started."""
    if command != "serve":
        return main([command, *words])
    with pytest.raises(SystemExit):
        main([command, *words])
    return 1


@pytest.mark.parametrize("null", ["null", "~", ""])
@pytest.mark.parametrize(
    "option",
    (
        *("--name", "--models_dir", "--device", "--data.root", "--data.category", "--model.coreset_sampling_ratio"),
        *("--tiling.tile_size", "--tiling.mode", "--trainer.check_val_every_n_epoch", "--seed_everything", "--resume"),
    ),
)
def test_an_empty_option_is_named(option: str, null: str, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", "--model", "Patchcore", "--data", "MVTec", "--name", "x", option, null]
    assert main(words) == 2
    error = capsys.readouterr().err
    assert f"error: {option} is empty" in error and len(error.strip().splitlines()) == 2


def test_an_empty_key_may_be_given_later(tmp_path: Path) -> None:
    path = written(tmp_path / "c.yaml", CONTENTS["train"] | {"name": None, "model": None})
    assert parse("train", ["--config", path, "--name", "y", "--model", "Padim"]).name == "y"


def test_what_print_config_writes_is_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path / "c.yaml", CONTENTS["train"])
    with pytest.raises(SystemExit):
        main(["train", "--config", path, "--print_config"])
    (tmp_path / "again.yaml").write_text(capsys.readouterr().out)
    first, second = (parse("train", ["--config", str(tmp_path / name)]) for name in ("c.yaml", "again.yaml"))
    first.pop("config")
    second.pop("config")
    assert first == second


def test_all_unknown_keys_are_listed_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content: dict[str, object] = yaml.safe_load(yaml.safe_dump(CONTENTS["train"]))
    content["model"]["init_args"]["n_layers"] = 3  # type: ignore[index]
    content["data"]["init_args"]["image_sze"] = 64  # type: ignore[index]
    content |= {"sede": 1, "tiling": {"tile_sise": 3}}
    assert main(["train", "--config", written(tmp_path / "c.yaml", content)]) == 2
    error = capsys.readouterr().err
    assert len(error.strip().splitlines()) == 2
    for key in ("model.init_args.n_layers", "data.init_args.image_sze", "sede", "tiling.tile_sise"):
        assert f"{key} (line " in error
    assert "did you mean data.image_size?" in error


ANOMALIB = """
seed_everything: true
trainer:
  accelerator: gpu
  strategy: auto
  devices: [0]
  precision: 32-true
  logger: null
  callbacks:
  - class_path: lightning.pytorch.callbacks.ModelCheckpoint
    init_args: {monitor: image_AUROC}
  - class_path: lightning.pytorch.callbacks.EarlyStopping
    init_args: {patience: 5, monitor: pixel_AUROC, mode: max}
  max_epochs: 3
  check_val_every_n_epoch: 1
  default_root_dir: null
model:
  class_path: anomalib.models.Stfpm
  init_args:
    backbone: resnet18
    layers: [layer1, layer2, layer3]
    pre_processor: true
    post_processor: true
    evaluator: true
    visualizer: true
data:
  class_path: anomalib.data.%s
  init_args:
    root: pictures
    %s
    train_batch_size: 32
    eval_batch_size: 32
    num_workers: 8
    train_augmentations: null
    val_augmentations: null
    test_augmentations: null
    augmentations: null
    test_split_mode: from_dir
    test_split_ratio: 0.2
    val_split_mode: same_as_test
    val_split_ratio: 0.5
    seed: null
logging:
  log_graph: false
default_root_dir: results
ckpt_path: null
"""


@pytest.mark.parametrize(
    ("data", "own"),
    [("MVTecAD", "category: bottle"), ("Folder", "name: bottle\n    normal_dir: good\n    extensions: ['.png']")],
)
def test_a_file_of_anomalib_is_taken(data: str, own: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "c.yaml").write_text(ANOMALIB % (data, own))
    options = parse("train", ["--config", str(tmp_path / "c.yaml"), "--name", "x"])
    assert options.trainer.precision == "32" and options.trainer.max_epochs == 3
    (callback,) = options.trainer.callbacks
    assert callback.class_path.endswith("EarlyStopping") and callback.init_args.patience == 5
    assert options.data.init_args.val_split_mode == "same_as_test"
    printed = capsys.readouterr().err
    assert len(printed.strip().splitlines()) == 1
    for name in ("trainer.accelerator (use --device)", "trainer.devices", "default_root_dir", "data.eval_batch_size"):
        assert name in printed
    for name in ("data.augmentations", "logging", "trainer.callbacks.ModelCheckpoint", "model.pre_processor"):
        assert name in printed
    assert ("data.test_split_ratio" in printed) == (data == "MVTecAD")  # Folder has this option


def test_options_of_anomalib_are_taken_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model", "Padim", "--data", "MVTecAD", "--data.eval_batch_size", "8", "--trainer.accelerator", "gpu"]
    assert parse("train", [*words, "--name", "x"]).data.init_args.category == "bottle"
    assert "data.eval_batch_size, trainer.accelerator (use --device)" in capsys.readouterr().err


UNREADABLE = [
    (b"", "is empty"),
    (b"- a\n- b\n", "no mapping"),
    (b"text", "no mapping"),
    (b"name: x\n\tdata: 3\n", "line 2"),
    (b"name: [x\n", "line 2"),
    (b"name: \xff\xfe\n", "UTF-8"),
    (b"{" * 2000, "YAML"),
    (b"name: !!python/object:os.system x\n", "line 1"),
    (b"? [a, b]\n: 3\n", "unhashable key"),
    (b"3: x\n", "unknown key"),
]


@pytest.mark.parametrize(
    ("command", "content", "message"),
    [*(("train", *case) for case in UNREADABLE), *((command, b"name: [x\n", "line 2") for command in CONTENTS)],
)
def test_a_file_that_cannot_be_read_is_named_in_one_line(
    command: str, content: bytes, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.yaml").write_bytes(content)
    assert main([command, "--config", str(tmp_path / "c.yaml")]) == 2
    error = capsys.readouterr().err
    assert "c.yaml" in error and message in error
    assert len(error.strip().splitlines()) <= 3


def test_types_of_values_are_judged_like_the_parsers() -> None:
    assert fits(int | None, None) and not fits(float, None)
    assert fits(float, 3) and not fits(int, True) and not fits(int, "3")
    assert CommandLine.read(["--x", "-1"]).given[0].value == -1
