"""The options of a command, as its parser knows them."""

from argparse import Action
from collections.abc import Mapping
from dataclasses import dataclass, is_dataclass, replace
from functools import lru_cache
from typing import Literal, get_args

from jsonargparse import ArgumentParser, Namespace

from app.cli.class_names import CLASS_OPTIONS, class_of

OWN = ("help", "config", "print_config", "version")
"""Options of every command that are not options of its work."""


@dataclass(frozen=True, slots=True)
class Option:
    """An option, or a positional argument.

    name: its name with dots and without dashes, such as `data.image_size`
    kind: its type hint
    default: its default; None: there is none, or its help text describes it
    required: whether the command needs it
    help: its help text
    """

    name: str
    kind: object
    default: object
    required: bool
    help: str


@dataclass(frozen=True, slots=True)
class Options:
    """The options of a command.

    plain: those that take a value, by name
    classes: those that take a class with options of its own, by name; all are in CLASS_OPTIONS
    positional: the positional arguments, in order
    several: whether the last positional argument takes several values
    """

    plain: Mapping[str, Option]
    classes: Mapping[str, Option]
    positional: tuple[Option, ...]
    several: bool

    @classmethod
    def of(cls, parser: ArgumentParser) -> "Options":
        """The options of a command's parser."""
        plain, classes, positional, several = {}, {}, [], False
        needed: set[str] = getattr(parser, "_extra_required_keys", set())
        for action in parser._actions:
            if action.dest in OWN or any(name.endswith(".help") for name in action.option_strings):
                continue
            if not action.option_strings:
                positional.append(_option(action, action.dest))
                several = action.nargs == "+"
            elif action.dest in CLASS_OPTIONS:
                option = _option(action, action.dest)
                classes[action.dest] = replace(option, required=option.required or action.dest in needed)
            elif not _is_group(action):
                plain[action.dest] = _option(action, action.dest)
                for kind in get_args(plain[action.dest].kind):
                    if isinstance(kind, type) and is_dataclass(kind):
                        plain |= _parameters(kind, action.dest)
        return cls(plain, classes, tuple(positional), several)

    @property
    def groups(self) -> set[str]:
        """The names that stand before a dot, such as `tiling`."""
        return {name.rpartition(".")[0] for name in self.plain if "." in name}


def options_of_class(option: str, name: str) -> Mapping[str, Option]:
    """The options of a class, such as `Folder` for `data`, by their whole names; none if it is unknown."""
    kind = class_of(option, name)
    return {} if kind is None else _parameters(kind, option)


def default_of(option: Option) -> object:
    """The default of an option, as users write it."""
    default = getattr(option.default, "value", option.default)
    if isinstance(default, dict | Namespace):
        return str(default.get("class_path", "")).rpartition(".")[2]
    return default


@lru_cache(maxsize=64)
def _parameters(kind: type, option: str) -> dict[str, Option]:
    parser = ArgumentParser()
    parser.add_class_arguments(kind)
    found = (action for action in parser._actions if action.dest not in OWN and not _is_group(action))
    return {
        f"{option}.{action.dest}": _option(action, f"{option}.{action.dest}")
        for action in found
        if not any(name.endswith(".help") for name in action.option_strings)
    }


def _option(action: Action, name: str) -> Option:
    kind = getattr(action, "_typehint", None) or action.type or str
    if action.choices is not None:
        kind = Literal[tuple(action.choices)]
    return Option(name, kind, action.default, action.required, " ".join((action.help or "").split()))


def _is_group(action: Action) -> bool:
    """Whether the option stands for a group of others, such as `--tiling`, which takes a file."""
    return type(action).__name__ == "_ActionConfigLoad"
