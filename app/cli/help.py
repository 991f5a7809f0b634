"""The help texts: of all commands, of one command, and of one class."""

import inspect
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from textwrap import fill

from docstring_parser import parse as parse_docstring
from jsonargparse import ArgumentParser

from app.cli.class_names import class_of, classes, known_name
from app.cli.options import Option, Options, default_of, options_of_class
from app.cli.usage import UsageError
from app.cli.value_types import alternatives, is_size, placeholder

GROUPS = {
    "cluster": "the machines of a cluster, and what HTTP and a hop between two machines take",
    "tiling": "how pictures are cut into tiles; sizes in pixels, a number or [height, width]",
    "trainer": "for detectors that are trained by gradient descent, and callbacks",
}
"""What the options of a group are for."""

STATUS = """exit status: 0 succeeded; 1 failed, or some pictures did; 2 wrong usage; 130 stopped by Ctrl-C, 143 SIGTERM
--debug, with any command, shows the traceback of an error"""

_SAYS_DEFAULT = re.compile(r"\bdefault\b")
_RAISES = re.compile(r"\s*Raises? [A-Z]\w+(?: (?:or|and) \w+)?\.")


def is_help(words: Sequence[str]) -> bool:
    """Whether the words ask for help."""
    return any(word in ("-h", "--help", "help") for word in words)


def overview(commands: Mapping[str, str]) -> str:
    """The help of all commands."""
    lines = ["usage: tessera COMMAND ...", "", "Tiled visual anomaly detection.", "", "commands:"]
    lines += [f"  {name:10} {text}" for name, text in commands.items()]
    lines += [
        "",
        "a first model:",
        "  tessera train --model Auto --data Folder --data.root PICTURES --name surface",
    ]
    lines += ["  tessera predict PICTURES --name surface --output results", "  tessera serve", ""]
    lines += ["tessera COMMAND --help describes a command; tessera --version prints the version", STATUS]
    return "\n".join(lines)


def command_help(name: str, parser: ArgumentParser, examples: Sequence[str]) -> str:
    """The help of a command."""
    options = Options.of(parser)
    required = [f"--{each}" for each, option in {**options.classes, **options.plain}.items() if option.required]
    words = [option.name.upper() + (" ..." if options.several else "") for option in options.positional]
    usage = " ".join(["usage: tessera", name, *words, *(f"{each} ..." for each in required), "[options]"])
    lines = [usage, "", _filled(parser.description or ""), "", "examples:"]
    lines += [f"  {example}" for example in examples]
    if options.positional:
        lines += ["", "arguments:", *_described(options.positional, "")]
    if options.classes:
        lines += ["", "options that take a class; put the class before its options:"]
        for group, option in options.classes.items():
            lines += [
                *_described([option], "--", " CLASS"),
                _text(f"classes: {', '.join(classes(group))}; --{group}.help CLASS describes the options of one"),
            ]
    own = [option for each, option in options.plain.items() if "." not in each and each not in options.groups]
    if any(action.dest == "config" for action in parser._actions):
        own += [Option("config", Path, None, False, "a YAML file with these options, without dashes")]
        own += [Option("print_config", None, None, False, "write such a file to the standard output, and end")]
    lines += ["", "options:", *_described(own, "--")]
    for group in sorted(options.groups):
        within = [option for each, option in options.plain.items() if each.startswith(f"{group}.")]
        lines += ["", f"{group}: {GROUPS.get(group, 'options')}", *_described(within, "--")]
    return "\n".join([*lines, "", STATUS])


def class_help(name: str, words: Sequence[str], options: Options) -> str:
    """The help of the class that `--model.help Patchcore` names; without a class, a list. Raises UsageError."""
    place = next(number for number, word in enumerate(words) if word.partition("=")[0].endswith(".help"))
    option, _, kind = words[place].partition("=")
    kind = kind or next(iter(words[place + 1 : place + 2]), "")
    group = option.removeprefix("--").removesuffix(".help")
    if group in options.groups:
        within = [each for own, each in options.plain.items() if own.startswith(f"{group}.")]
        return "\n".join([f"{group}: {GROUPS.get(group, 'options')}", "", *_described(within, "--")])
    if group not in options.classes:
        raise UsageError(
            f"{option} is not known; `tessera {name}` has {', '.join(f'--{each}.help' for each in options.classes)}"
        )
    if not kind or kind.startswith("-"):
        lines = [f"classes of --{group}:"]
        lines += [_text(f"{each}: {_summary(class_of(group, each))}", "  ") for each in classes(group)]
        return "\n".join(
            [*lines, "", f"tessera {name} --{group}.help {next(iter(classes(group)))} describes its options"]
        )
    known = known_name(group, kind, option)
    found = class_of(group, known)
    lines = [f"{known}: {_summary(found)}"]
    more = _description(found)
    lines += ["", *more] if more else []
    own = options_of_class(group, known).values()
    lines += ["", f"options of --{group} {known}:", *_described(own, "--")] if own else ["", "It has no options."]
    example = next((f" --{each.name} {_example(each)}" for each in own), "")
    return "\n".join([*lines, "", f"example: tessera {name} ... --{group} {known}{example} ..."])


def _described(options: Iterable[Option], dashes: str, suffix: str | None = None) -> list[str]:
    lines = []
    for option in options:
        kind = "" if option.kind is None else f" {_metavar(option)}" if suffix is None else suffix
        name = option.name if dashes else option.name.upper()
        lines.append(f"  {dashes}{name}{kind if dashes else ''}")
        lines.append(_text(" ".join(filter(None, (option.help, _default(option))))))
    return lines


def _metavar(option: Option) -> str:
    kinds = alternatives(option.kind)
    words = ["SIZE" if is_size(option.kind) else placeholder(kind) for kind in kinds]
    return "|".join(dict.fromkeys(words))


def _default(option: Option) -> str:
    if option.required:
        return "(required)"
    default = default_of(option)
    if default in (None, "", []) or _SAYS_DEFAULT.search(option.help):
        return ""
    shown = str(default).lower() if isinstance(default, bool) else default
    return f"(default: {list(shown) if isinstance(shown, tuple) else shown})"


def _example(option: Option) -> str:
    default = default_of(option)
    return "VALUE" if default in (None, "") else f'"{list(default)}"' if isinstance(default, tuple) else str(default)


def _summary(kind: type | None) -> str:
    """The first sentence of a class's docstring."""
    found = parse_docstring(inspect.getdoc(kind) or "").short_description or ""
    return " ".join(_RAISES.sub("", found).split())


def _description(kind: type | None) -> list[str]:
    """The rest of a class's docstring, without its parameters and errors."""
    found = parse_docstring(inspect.getdoc(kind) or "").long_description or ""
    paragraphs = [" ".join(_RAISES.sub("", each).split()) for each in found.split("\n\n")]
    return [_filled(each) for each in paragraphs if each]


def _filled(text: str) -> str:
    return fill(" ".join(text.split()), _width())


def _text(text: str, indent: str = " " * 8) -> str:
    return fill(text, _width(), initial_indent=indent, subsequent_indent=" " * 8)


def _width() -> int:
    return min(shutil.get_terminal_size((100, 24)).columns, 120)
