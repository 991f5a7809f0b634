"""All commands look for models where the server does."""

import shutil
from pathlib import Path

import pytest
from jsonargparse import Namespace

from app.cli import main
from app.cli.commands import COMMANDS, parse
from app.cli.models_dir import MODELS_DIR
from app.cli.options import Options
from app.cli.serve import given_settings
from app.cli.training_summary import next_commands
from app.data import Folder
from app.settings import PREFIX, Settings

SERVERS = {"serve", "cluster"}
"""These commands take the options of a server, and read its variables as it does."""
WRITERS = {"train", "import"}
"""These commands make the folder of the models if it is missing."""
NAMED = ("--name", "screw")
DATA = ("--data", "Folder", "--data.root", "pictures")
READERS = (
    ("models", "list"),
    ("models", "verify"),
    ("models", "list", "--history", "true"),
    *(("models", action, *NAMED) for action in ("promote", "pin", "rollback", "unpin")),
    *(("models", action, *NAMED, "--version", "1") for action in ("copy", "delete")),
    ("models", "push", *NAMED, "--bucket", "s3://plant/models"),
    ("bench",),
    ("estimate", *NAMED, "--size", "64x64", "--rate", "1"),
    ("predict", "pictures", *NAMED, "--output", "out"),
    ("watch", "pictures", *NAMED, "--output", "out"),
    ("evaluate", *NAMED, *DATA, "--output", "out"),
    ("certify", "--name", "screw", *DATA),
    ("compare", "screw:1", "screw:2", *DATA, "--output", "out"),
    ("teach", *NAMED, "--pictures_dir", "kept"),
    ("calibrate", *NAMED, "--image_threshold", "0.6"),
    ("zones", *NAMED),
)


def options_of(command: str) -> Options:
    return Options.of(COMMANDS[command].load().parser())


WITH_MODELS = [name for name in COMMANDS if "models_dir" in options_of(name).plain]


def default_of(command: str) -> Path | str:
    """The model repository of a command without `--models_dir`."""
    options = options_of(command).plain
    if command not in SERVERS:
        return Path(str(options["models_dir"].default))
    unset = Namespace({name: options[name].default for name in Settings.model_fields})  # type: ignore[no-untyped-call]
    return Settings.model_validate(given_settings(unset)).models_dir


def test_the_variable_is_that_of_the_servers_setting() -> None:
    assert f"{PREFIX}{'models_dir'.upper()}" == MODELS_DIR


@pytest.mark.parametrize("command", WITH_MODELS)
@pytest.mark.parametrize(("value", "expected"), [("/srv/models", "/srv/models"), ("", "models"), (None, "models")])
def test_the_variable_names_the_models_of_every_command(
    command: str, value: str | None, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(MODELS_DIR, raising=False)
    if value is not None:
        monkeypatch.setenv(MODELS_DIR, value)
    assert default_of(command) == Path(expected)


@pytest.mark.parametrize("command", sorted(set(WITH_MODELS) - SERVERS))
def test_the_help_names_the_variable(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"]) == 0
    assert f"by default the folder that {MODELS_DIR} names" in " ".join(capsys.readouterr().out.split())


def test_the_option_precedes_the_variable(
    models_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(models_dir / "padim", tmp_path / "models/padim")
    monkeypatch.setenv(MODELS_DIR, str(models_dir))
    assert main(["models", "list", "--device", "cpu"]) == 0
    assert "patchcore" in capsys.readouterr().out
    assert main(["models", "list", "--device", "cpu", "--models_dir", str(tmp_path / "models")]) == 0
    listed = capsys.readouterr().out
    assert "padim" in listed and "patchcore" not in listed


def test_the_commands_after_a_training_name_a_folder_that_is_not_the_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(MODELS_DIR, str(tmp_path / "plant"))
    words = ["--model", "Padim", "--data", "Folder", "--data.root", str(tmp_path), "--name", "screw"]
    for more, place in (([], ""), (["--models_dir", "models"], " --models_dir models")):
        options = parse("train", [*words, *more])
        (*_, last) = next_commands(options, Folder(str(tmp_path)))
        assert last == f"  tessera serve{place}"


def test_each_command_with_models_reads_them_or_writes_them_or_serves_them() -> None:
    assert {command for command, *_ in READERS} | WRITERS | SERVERS == set(WITH_MODELS)


@pytest.mark.parametrize("words", READERS, ids=" ".join)
def test_a_command_that_reads_models_refuses_a_folder_that_is_missing(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    monkeypatch.setenv(MODELS_DIR, str(tmp_path / "nowhere"))
    device = ("--device", "cpu") if "device" in options_of(words[0]).plain else ()
    assert main([*words, *device]) == 1
    shown = capsys.readouterr()
    folder = f"{tmp_path / 'nowhere'} is not a directory"
    assert shown.err == f"error: {folder}; name the folder of the models by --models_dir or TESSERA_MODELS_DIR\n"
    assert not shown.out and [path.name for path in tmp_path.iterdir()] == ["pictures"]
