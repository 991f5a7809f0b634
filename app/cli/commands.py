"""The command line: `tessera serve | train | evaluate | predict | import | backbone | models`."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version

from jsonargparse import ArgumentParser, Namespace

from app.cli import backbone, evaluate, import_, models, predict, serve, train
from app.cli.class_names import translated
from app.errors import TesseraError
from app.terminal import complain


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its arguments, what it does with them (0: all that it was asked), and a line of help."""

    parser: Callable[[], ArgumentParser]
    run: Callable[[Namespace], int]
    help: str


COMMANDS = {
    "serve": Command(serve.parser, serve.run, "serve the models of a repository over HTTP"),
    "train": Command(train.parser, train.run, "train a model on normal pictures"),
    "evaluate": Command(evaluate.parser, evaluate.run, "measure a model on labelled pictures, and report it"),
    "import": Command(import_.parser, import_.run, "import a model that anomalib trained"),
    "predict": Command(predict.parser, predict.run, "predict pictures or folders of them"),
    "backbone": Command(backbone.parser, backbone.run, "make a backbone of your own"),
    "models": Command(models.parser, models.run, "list or verify the models of a repository"),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command: 0 when it did all that it was asked, 1 with a line that says why not."""
    try:
        options = build_parser().parse_args(translated(sys.argv[1:] if arguments is None else arguments))
        return COMMANDS[options.command].run(options[options.command])
    except TesseraError as error:
        complain(str(error))
    except OSError as error:
        complain(f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error))
    except KeyboardInterrupt:
        complain("stopped")
    return 1


def build_parser() -> ArgumentParser:
    """The parser of all commands; each also reads `--config FILE` and writes it with `--print_config`."""
    parser = ArgumentParser(prog="tessera", description="Tiled visual anomaly detection.", version=version("tessera"))
    commands = parser.add_subcommands(dest="command")
    for name, command in COMMANDS.items():
        commands.add_subcommand(name, command.parser(), help=command.help)
    return parser
