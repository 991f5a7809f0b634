"""Help texts name every option with its meaning and its true default."""

import inspect
import re

import pytest

from app.cli import main
from app.cli.class_names import CLASS_OPTIONS, class_of, classes
from app.cli.commands import COMMANDS
from app.cli.options import Options, options_of_class

CLASSES = [(option, name) for option in CLASS_OPTIONS for name in classes(option)]


@pytest.mark.parametrize(("option", "name"), CLASSES)
def test_the_help_of_a_class_describes_each_parameter(
    option: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["train", f"--{option}.help", name]) == 0
    text = capsys.readouterr().out
    assert not re.search(r"Raises|<class|Namespace|Args:|tessera \[", text)
    found = options_of_class(option, name)
    for each in found.values():
        assert each.help, each.name
        assert f"--{each.name} " in text
    kind = class_of(option, name)
    assert kind is not None
    own = {
        each
        for each, parameter in inspect.signature(kind).parameters.items()
        if parameter.kind is not parameter.VAR_KEYWORD
    }
    assert {f"{option}.{each}" for each in own} <= set(found)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_describes_each_option(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([name, "--help"]) == 0
    text = capsys.readouterr().out
    options = Options.of(COMMANDS[name].load().parser())
    for each in (*options.plain.values(), *options.classes.values()):
        assert each.help, each.name
        assert f"--{each.name}" in text


def test_defaults_are_those_that_apply(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", "--help"]) == 0
    train = " ".join(capsys.readouterr().out.split())
    assert "--tiling.mode padding|interpolation|cover|within" in train
    assert "at its edges are those of the untiled network) (default: cover)" in train
    assert "(default: Automatic)" in train and "(default: 256)" in train
    assert main(["serve", "--help"]) == 0
    assert "--port NUMBER The port to listen on; 0: any free port. (default: 8000)" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize("option", CLASS_OPTIONS)
def test_help_without_a_class_lists_the_classes(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["train", f"--{option}.help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name}: " in text for name in classes(option))
