"""The command line: `tessera serve | train | calibrate | evaluate | compare | predict | import | backbone | models`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from types import ModuleType

from jsonargparse import ArgumentParser

from app.cli.class_names import translate_class_names
from app.errors import TesseraError
from app.terminal import print_error


@dataclass(frozen=True, slots=True)
class Command:
    """A command of `tessera`.

    module: the name of its module in `app.cli`, which has the functions `parser` and `run`
    help: one line of help

    `run` executes the command and returns the exit status. The module is imported only when the command is used,
    because most commands need torch, which takes seconds to import.
    """

    module: str
    help: str

    def load(self) -> ModuleType:
        return import_module(f"app.cli.{self.module}")


COMMANDS = {
    "serve": Command("serve", "serve the models of a repository over HTTP"),
    "train": Command("train", "train a model on normal pictures"),
    "calibrate": Command("calibrate", "set new thresholds for a model without training it"),
    "evaluate": Command("evaluate", "evaluate a model on labelled pictures, and write a report"),
    "compare": Command("compare", "compare two models on the same labelled pictures, and write a report"),
    "import": Command("import_", "import a model that anomalib trained"),
    "predict": Command("predict", "predict pictures or folders of them"),
    "backbone": Command("backbone", "train a backbone of your own"),
    "models": Command("models", "list or verify the models of a repository"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command, and returns the exit status: 0 if it succeeded completely, else 1. Prints errors."""
    try:
        given = translate_class_names(sys.argv[1:] if arguments is None else arguments)
        options = build_parser(given).parse_args(given)
        status: int = COMMANDS[options.command].load().run(options[options.command])
        return status
    except TesseraError as error:
        print_error(str(error))
    except OSError as error:
        print_error(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error))
    except KeyboardInterrupt:
        print_error("stopped")
    return 1


def build_parser(arguments: Sequence[str]) -> ArgumentParser:
    """The parser of all commands. Only the command that is named in `arguments` is imported and has options.

    Commands with an option `--config FILE` also have `--print_config`, which writes such a file.
    """
    used = next((word for word in arguments if not word.startswith("-")), None)
    parser = ArgumentParser(prog="tessera", description="Tiled visual anomaly detection.", version=version("tessera"))
    commands = parser.add_subcommands(dest="command")
    for name, command in COMMANDS.items():
        own = command.load().parser() if name == used else ArgumentParser()
        commands.add_subcommand(name, own, help=command.help)
    return parser
