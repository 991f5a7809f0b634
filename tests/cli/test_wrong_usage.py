"""Whatever is wrong with a command line: a few lines that say what, the usual exit status, and no traceback."""

import re
import shlex
from pathlib import Path

import pytest

from app.cli import main
from app.cli.commands import COMMANDS
from app.cli.options import Options

LINES = 4
TRAIN = "train --model Padim --data Folder --data.root nowhere --name x"
LABELLED = "--data MVTec --data.root nowhere --data.category cat"
COMPLETE = {
    "serve": "serve --models_dir nowhere",
    "train": TRAIN,
    "calibrate": f"calibrate --name x {LABELLED}",
    "zones": "zones --name x --models_dir nowhere",
    "teach": "teach --name x --pictures_dir nowhere --models_dir nowhere",
    "evaluate": f"evaluate --name x --output o {LABELLED}",
    "certify": f"certify --name x {LABELLED}",
    "compare": f"compare x y --output o {LABELLED}",
    "import": "import x.ckpt --name x",
    "predict": "predict x.png --name x --output o",
    "watch": "watch nowhere --name x --output o",
    "backbone": "backbone train --teacher nowhere.safetensors --output o.safetensors",
    "models": "models list",
    "bench": "bench --models_dir nowhere",
    "estimate": "estimate --models_dir nowhere --name a --size 64x64 --rate 1",
    "cluster": "cluster status --address 127.0.0.1:9",
    "keys": "keys list --keys_file nowhere.json",
    "reviews": "reviews list --pictures_dir nowhere",
}
SERVER_WORDS = re.compile(r"\b(send|upload|request|HTTP|header|field|API)\b")


def run(words: list[str]) -> int:
    try:
        return main(words)
    except SystemExit as end:  # a server that cannot start, and --print_config
        return end.code if isinstance(end.code, int) else 1


def told(words: list[str], capsys: pytest.CaptureFixture[str], *, status: int = 2) -> str:
    """What a wrong command line prints."""
    assert run(words) == status, capsys.readouterr()
    printed = capsys.readouterr()
    text = printed.out + printed.err
    assert len(text.strip().splitlines()) <= LINES, text
    for leak in ("Traceback", "unexpected ", "<class", "Namespace", "Union", "usage:", "Subtypes", "jsonargparse"):
        assert leak not in text, text
    assert not SERVER_WORDS.search(text), text
    return text


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("line", "messages"),
    [
        ("", ["give a command", "train"]),
        ("trian", ["did you mean train"]),
        ("nonsense", ["no command 'nonsense'"]),
        ("--name x train", ["--name stands before the command"]),
        ("train", ["missing: --model, --data, --name", "example: tessera train"]),
        ("train --model", ["--model needs", "Patchcore"]),
        ("train --model Padimm --data Folder", ["--model Padimm is not known", "did you mean Padim?"]),
        ("train --model Padim --data Folder --name x", ["missing: --data.root (the folder"]),
        (
            f"train --model.backbone resnet18 {TRAIN[6:]}",
            ["--model.backbone stands before its class; put --model Padim"],
        ),
        ("train --data.root x --name x", ["--data.root needs a class", "Folder"]),
        (f"{TRAIN} --data.image_size 256x640", ["--data.image_size is 256x640", '"[256, 640]"']),
        (f"{TRAIN} --data.image_size 256 640", ['--data.image_size "[256, 640]"']),
        (f"{TRAIN} --data.image_size large", ["a number of pixels or [height, width]"]),
        (f"{TRAIN} --data.image_sze 64", ["--data.image_sze is not an option of Folder", "--data.image_size?"]),
        (f"{TRAIN} --image_size 64", ["did you mean --data.image_size?"]),
        (f"{TRAIN} --root x", ["did you mean --data.root?"]),
        (f"{TRAIN} --tile_size 64", ["did you mean --tiling.tile_size?"]),
        (f"{TRAIN} --data.category x", ["is not an option of Folder", "it is one of MVTec"]),
        (f"{TRAIN} --tiling.mode stretch", ["padding, interpolation, cover or within"]),
        (f"{TRAIN} --tiling.enable maybe", ["true or false"]),
        (f"{TRAIN} --model.layers layer1,layer2", ['"[layer1, layer2]"']),
        (f"{TRAIN} --trainer.precision 64", ["auto, 32, bf16 or 16"]),
        (f"{TRAIN} --max-epochs 3", ["did you mean --trainer.max_epochs?"]),
        (f"{TRAIN} -n x", ["-n is not an option"]),
        (f"{TRAIN} extra", ["'extra' is not expected"]),
        (f"{TRAIN} --config nowhere.yaml", ["nowhere.yaml: No such file"]),
        (f"{TRAIN} --config", ["--config"]),
        (f"{TRAIN} --trainer.callbacks Pruning", ["TilerConfigurationCallback, EarlyStopping"]),
        ("train --model.help Nope", ["--model.help Nope is not known", "Patchcore"]),
        ("train --nonsense.help", ["--model.help"]),
        ("evaluate --name x --data MVTec", ["missing: --output"]),
        ("predict x.png --ckpt_path m.ckpt --model Padim", ["tessera import FILE.ckpt", "--name NAME"]),
        ("predict --name x --output o", ["missing: PICTURES"]),
        ("predict x.png --name x --output o --threshold high", ["--threshold is high; give a number"]),
        ("models nope", ["give list, verify, promote"]),
        ("import x.ckpt --name x --image_size 256x256", ['"[256, 256]"']),
        ("import x.ckpt --name x --tiling.tile_sise 3", ["did you mean --tiling.tile_size?"]),
        ("calibrate --name x --recall all", ["--recall is all; give a number"]),
        ("serve --prot 80", ["did you mean --port?"]),
        ("serve --port http", ["--port is http; give a whole number"]),
        ("backbone eat", ["ACTION is 'eat'; give train"]),
        ("fit --model Padim", ["tessera train"]),
        ("test --ckpt_path x", ["tessera evaluate"]),
        ("validate", ["tessera evaluate"]),
        ("export --model Padim", ["tessera serve"]),
        ("benchmark --config b.yaml", ["tessera compare"]),
        ("install", ["nothing to install"]),
    ],
)
def test_wrong_usage_is_explained(line: str, messages: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    text = told(shlex.split(line), capsys)
    for message in messages:
        assert message in text


def odd_words(name: str) -> list[str]:
    options = Options.of(COMMANDS[name].load().parser())
    first = next(iter(options.plain))
    values = [
        "",
        "null",
        "[",
        "{",
        "{}",
        "[[]]",
        "a: b",
        "🙂",
        "\udce9",
        "-1e999",
        "9" * 5000,
        "!!python/none",
        "'",
        "\t",
    ]
    words = [f"--{first} {shlex.quote(value)}" for value in values]
    words += [
        "--",
        "-",
        "---",
        "--=",
        "--=x",
        "--.",
        "--nonsense",
        "--nonsense=3",
        "--help.x 3",
        "--config {",
        "--config ''",
    ]
    words += [f"--{group}.x 3" for group in (*options.classes, *options.groups)]
    words += [f"--{group} 3" for group in (*options.classes, *options.groups)]
    words += [f"--{group} '{{}}'" for group in options.classes]
    words += [f"--{group} '{{\"class_path\": 3}}'" for group in options.classes]
    words += [f"--{group} nowhere.yaml" for group in options.classes]
    words += [f"--{option}" for option in options.plain]
    return words


@pytest.mark.parametrize("name", COMMANDS)
def test_any_wrong_words_end_in_a_few_lines(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    for more in odd_words(name):
        words = [*shlex.split(COMPLETE[name]), *shlex.split(more)]
        status = run(words)
        printed = capsys.readouterr()
        text = printed.out + printed.err
        assert status in (1, 2) or name == "models", (words, text)
        assert len(text.strip().splitlines()) <= (LINES if status else 30), (words, text)
        for leak in ("Traceback", "unexpected ", "<class", "Namespace(", "Subtypes"):
            assert leak not in text, (words, text)


@pytest.mark.parametrize("name", COMMANDS)
def test_without_any_option_a_command_says_what_is_missing(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    if name in ("serve", "bench"):
        assert run([name, "--models_dir", "nowhere"]) == 1
        return
    assert "missing: " in told([name], capsys)


@pytest.mark.parametrize("option", [*COMPLETE["train"].split()[1::2]])
def test_an_option_without_its_value_is_named(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert f"{option} needs" in told([*COMPLETE["train"].split(), option], capsys)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (f"{TRAIN} --data.image_size '[256, 640, 1]'", "data.image_size is [256, 640, 1]"),
        (f"{TRAIN} --data.image_size 100000", "data.image_size is [100000, 100000]"),
        (f"{TRAIN} --data.num_workers -1", "data.num_workers is -1"),
        (f"{TRAIN} --model.n_features 5000", "model.n_features is 5000"),
        (f"{TRAIN} --tiling.tile_size 0", "tiling.tile_size is 0"),
        (f"{TRAIN} --trainer.max_epochs 0", "trainer.max_epochs is 0"),
        (f"{TRAIN} --calibration HoldOut --calibration.share 2", "calibration.share is 2"),
    ],
)
def test_a_value_that_cannot_work_is_named_by_its_option(
    line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(shlex.split(line), capsys, status=1)
    assert f"error: {message}" in text and len(text.strip().splitlines()) == 1


def test_an_unforeseen_error_is_one_line_and_debug_shows_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> int:
        raise ZeroDivisionError("a\nb")

    monkeypatch.setattr(COMMANDS["models"].load(), "run", fail)
    assert main(["models", "list"]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "ZeroDivisionError: a b" in error and "--debug" in error
    assert main(["models", "list", "--debug"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_words_of_the_server_are_not_used_for_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, content in (("a.png", b"\x89PNG\r\n\x1a\n123"), ("b.jpg", b"text"), ("c.png", b""), ("d.tif", b"II*\0")):
        (tmp_path / "pictures").mkdir(exist_ok=True)
        (tmp_path / "pictures" / name).write_bytes(content)
    text = told(shlex.split("train --model Padim --data Folder --data.root pictures --name x"), capsys, status=1)
    assert "a.png" in text
