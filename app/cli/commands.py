"""The command line: `tessera serve | train | evaluate | predict | import | backbone | models`."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from types import ModuleType

from jsonargparse import ArgumentParser

from app.cli.class_names import translated
from app.errors import TesseraError
from app.terminal import complain


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its module in `app.cli`, which has `parser` and `run`, and a line of help.

    `run` does what the command is for, and returns 0 if it did all that it was asked. The module is imported only when
    the command is used, since most need torch, which takes seconds to import.
    """

    module: str
    help: str

    def load(self) -> ModuleType:
        """The module."""
        return import_module(f"app.cli.{self.module}")


COMMANDS = {
    "serve": Command("serve", "serve the models of a repository over HTTP"),
    "train": Command("train", "train a model on normal pictures"),
    "evaluate": Command("evaluate", "measure a model on labelled pictures, and report it"),
    "import": Command("import_", "import a model that anomalib trained"),
    "predict": Command("predict", "predict pictures or folders of them"),
    "backbone": Command("backbone", "make a backbone of your own"),
    "models": Command("models", "list or verify the models of a repository"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command: 0 when it did all that it was asked, 1 with a line that says why not."""
    try:
        given = translated(sys.argv[1:] if arguments is None else arguments)
        options = build_parser(given).parse_args(given)
        status: int = COMMANDS[options.command].load().run(options[options.command])
        return status
    except TesseraError as error:
        complain(str(error))
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error))
    except KeyboardInterrupt:
        complain("stopped")
    return 1


def build_parser(arguments: Sequence[str]) -> ArgumentParser:
    """The parser for these arguments: of all commands, but only the one that is used has its own arguments.

    Each command also reads `--config FILE` and writes it with `--print_config`.
    """
    used = next((word for word in arguments if not word.startswith("-")), None)
    parser = ArgumentParser(prog="tessera", description="Tiled visual anomaly detection.", version=version("tessera"))
    commands = parser.add_subcommands(dest="command")
    for name, command in COMMANDS.items():
        own = command.load().parser() if name == used else ArgumentParser()
        commands.add_subcommand(name, own, help=command.help)
    return parser
