"""The command line: `tessera serve | train | calibrate | evaluate | compare | predict | watch | import | ...`."""

import re
import sys
from argparse import ArgumentError
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from jsonargparse import ArgumentParser, Namespace

from app.cli import anomalib
from app.cli.diagnosis import null_problems, usage_problems
from app.cli.failure import report
from app.cli.help import class_help, command_help, is_help, overview
from app.cli.models_dir import MODELS_DIR
from app.cli.options import Options
from app.cli.usage import UsageError
from app.cli.words import CommandLine
from app.interruption import stoppable
from app.similar import nearest
from app.terminal import print_line
from app.version import VERSION

DEBUG = "--debug"
SERVING = "serve", "cluster"
"""The commands whose models may be in a bucket."""


@dataclass(frozen=True, slots=True)
class Command:
    """A command of `tessera`.

    module: the name of its module in `app.cli`, which has the functions `parser` and `run`
    help: one line of help
    examples: complete command lines

    `run` executes the command and returns the exit status. The module is imported only when the command is used,
    because most commands need torch, which takes seconds to import.
    """

    module: str
    help: str
    examples: tuple[str, ...]

    def load(self) -> ModuleType:
        return import_module(f"app.cli.{self.module}")


_LABELLED = "--data MVTec --data.root DIR --data.category CATEGORY"

COMMANDS = {
    "serve": Command(
        "serve",
        "serve the models of a repository over HTTP",
        ("tessera serve", "tessera serve --models_dir models --host 0.0.0.0 --port 8000 --device auto"),
    ),
    "train": Command(
        "train",
        "train a model on normal pictures",
        (
            "tessera train --model Patchcore --data Folder --data.root PICTURES --name surface",
            f"tessera train --model Padim {_LABELLED} "
            '--data.image_size "[512, 512]" --tiling.tile_size 256 --name surface',
            "tessera train --config train.yaml",
        ),
    ),
    "calibrate": Command(
        "calibrate",
        "set new thresholds for a model without training it",
        (
            "tessera calibrate --name surface --data Folder --data.root GOOD_PICTURES --false_positive_rate 0.01",
            f"tessera calibrate --name surface {_LABELLED} --recall 0.95",
            "tessera calibrate --name surface --image_threshold 0.6",
        ),
    ),
    "zones": Command(
        "zones",
        "ignore areas of the picture, or give them thresholds of their own",
        (
            "tessera zones --name surface --set zones.geojson",
            "tessera zones --name surface --set zones.json --ignore true",
            "tessera zones --name surface",
            "tessera zones --name surface --clear true",
        ),
    ),
    "teach": Command(
        "teach",
        "teach a model by the reviewed pictures that a server keeps, and prove it",
        (
            "tessera teach --name surface --pictures_dir kept",
            "tessera teach --name surface --pictures_dir kept --serve true",
        ),
    ),
    "evaluate": Command(
        "evaluate",
        "evaluate a model on labelled pictures, and write a report",
        (
            f"tessera evaluate --name surface {_LABELLED} --output report",
            f"tessera evaluate --name surface {_LABELLED} --output report --seams",
        ),
    ),
    "certify": Command(
        "certify",
        "measure which sizes of marks a model finds, and write a certificate",
        (
            "tessera certify --name surface --data Folder --data.root GOOD_PICTURES --output certificate",
            f"tessera certify --name surface {_LABELLED} --budget 5m",
        ),
    ),
    "compare": Command(
        "compare",
        "compare two models on the same labelled pictures, and write a report",
        (f"tessera compare surface:1 surface:2 {_LABELLED} --output report",),
    ),
    "import": Command(
        "import_",
        "import a model that anomalib trained",
        (
            "tessera import model.pt --name surface",
            "tessera import model.ckpt --name surface --tiling.tile_size 256 --tiling.stride 128",
        ),
    ),
    "predict": Command(
        "predict",
        "predict pictures or folders of them",
        ("tessera predict PICTURES --name surface --output results",),
    ),
    "watch": Command(
        "watch",
        "predict the pictures that cameras write to a folder, as they come",
        (
            "tessera watch PICTURES --output results --name surface",
            "tessera watch PICTURES --output results --name surface --done archive "
            "--on_verdict 'https://mes.example/verdicts#secret_file=FILE'",
        ),
    ),
    "backbone": Command(
        "backbone",
        "train a backbone of your own",
        ("tessera backbone train --teacher teacher.safetensors --output student.safetensors --folders '[PICTURES]'",),
    ),
    "models": Command(
        "models",
        "list or verify the models of a repository, and choose the versions that serve",
        (
            "tessera models list",
            "tessera models verify --models_dir models",
            "tessera models promote --name surface --version 2",
            "tessera models rollback --name surface",
            "tessera models push --name surface --bucket s3://BUCKET/models",
        ),
    ),
    "bench": Command(
        "bench",
        "measure the models on this machine, for `tessera estimate`",
        ("tessera bench", "tessera bench --name surface --device cuda"),
    ),
    "estimate": Command(
        "estimate",
        "say how many processors or cards, and how much memory, a rate of pictures needs",
        (
            "tessera estimate --name surface --size 1024x1280 --rate 5",
            "tessera estimate --name surface --size 1024x1280 --cards 16 --price 2.50 --device cuda",
        ),
    ),
    "cluster": Command(
        "cluster",
        "run the server as replicas on a Ray cluster, and describe or end it",
        (
            "tessera cluster up --replicas 2 --models_dir models",
            "tessera cluster up --replicas 2 --most_replicas 8 --gpus 1 --host 0.0.0.0 --keys_file keys.json",
            "tessera cluster status",
            "tessera cluster down",
        ),
    ),
    "keys": Command(
        "keys",
        "make, list or revoke the API keys of a server",
        (
            "tessera keys new --name camera-3 --scope predict",
            "tessera keys new --name operator --scope admin --days 90",
            "tessera keys list",
            "tessera keys revoke --name camera-3",
        ),
    ),
    "reviews": Command(
        "reviews",
        "list, export or import the pictures that a server keeps, with their reviews",
        (
            "tessera reviews list --pictures_dir kept",
            "tessera reviews export --pictures_dir kept --name surface --reviewed true --folder reviews",
            "tessera reviews import --pictures_dir kept --folder reviews",
        ),
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command, and returns the exit status. Prints errors.

    0: the command succeeded completely; 1: it failed, or some of its pictures did; 2: the command line or a
    configuration file cannot be understood; 130 and 143: it was stopped by Ctrl-C or SIGTERM; 141: the reader of its
    output has gone.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    words = [word for word in given if word != DEBUG]
    try:
        return _run(words)
    except (Exception, KeyboardInterrupt) as error:
        return report(error, words, debug=DEBUG in given)


def _run(words: list[str]) -> int:
    place = next((number for number, word in enumerate(words) if not word.startswith("-")), len(words))
    if place == len(words) and is_help(words):
        print(overview({name: command.help for name, command in COMMANDS.items()}), flush=True)
        return 0
    if "--version" in words[:place]:
        print(f"tessera {VERSION}", flush=True)
        return 0
    if place:
        name = next((word for word in words if word in COMMANDS), "COMMAND")
        raise UsageError(f"{words[0]} stands before the command; put it behind: tessera {name} {words[0]} ...")
    name = next(iter(words), "")
    command = _command(name)
    parser = command.load().parser()
    if is_help(words):
        print(command_help(name, parser, command.examples), flush=True)
        return 0
    if any(word.partition("=")[0].endswith(".help") for word in words):
        print(class_help(name, words, Options.of(parser)), flush=True)
        return 0
    options = parse(name, words[1:])
    with stoppable():
        status: int = command.load().run(options)
    return status


def _command(name: str) -> Command:
    if name in COMMANDS:
        return COMMANDS[name]
    if name in anomalib.COUNTERPARTS:
        raise UsageError(f"`{name}` is a command of anomalib; here: {anomalib.COUNTERPARTS[name]}")
    known = ", ".join(COMMANDS)
    if not name:
        raise UsageError(f"give a command: {known}; tessera --help describes them")
    close = nearest(name, COMMANDS)
    raise UsageError(f"there is no command {name!r}; " + (f"did you mean {close}?" if close else f"use {known}"))


def parse(name: str, words: Sequence[str]) -> Namespace:
    """The options of a command. Raises UsageError. Prints which options were left out."""
    options = Options.of(COMMANDS[name].load().parser())
    line = CommandLine.read(words)
    empty = list(null_problems(options, line.given))
    if empty:
        raise UsageError(*empty, hint=_hint(name))
    try:
        found: Namespace = build_parser([name]).parse_args([name, *line.words])[name]
    except Exception as error:
        problems = usage_problems(options, line.given)
        if problems:
            raise UsageError(*problems, hint=_hint(name)) from error
        if isinstance(error, ArgumentError | TypeError | ValueError):
            raise UsageError(_innermost(str(error)), hint=_hint(name)) from error
        raise
    folder = str(found.get("models_dir", ""))
    if name not in SERVING and re.match("[a-z0-9]{2,}:/", folder):
        where = "--models_dir" if any(each.name == "models_dir" for each in line.given) else MODELS_DIR
        raise UsageError(
            f"{where}: `tessera {name}` uses a folder, and no bucket",
            hint="fetch the model first: tessera models pull --name surface --bucket s3://BUCKET/PREFIX",
        )
    for note in line.notes:
        print_line(note)
    return found


def _hint(name: str) -> str:
    return f"example: {COMMANDS[name].examples[0]}; tessera {name} --help describes the options"


def _innermost(text: str) -> str:
    """The first line of an error of the parser, and its most specific reason."""
    lines = [line.strip(" -") for line in text.splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("Subtypes:", "Errors:", "Given value"))]
    return told[0] if len(told) < 2 else f"{told[0].rstrip(':')}: {told[1]}"


def build_parser(arguments: Sequence[str]) -> ArgumentParser:
    """The parser of all commands. Only the command that is named in `arguments` is imported and has options.

    Commands with an option `--config FILE` also have `--print_config`, which writes such a file.
    """
    used = next((word for word in arguments if not word.startswith("-")), None)
    parser = ArgumentParser(prog="tessera", exit_on_error=False, allow_abbrev=False)
    commands = parser.add_subcommands(dest="command")
    for name, command in COMMANDS.items():
        own = command.load().parser() if name == used else ArgumentParser()
        commands.add_subcommand(name, own, help=command.help)
    return parser
