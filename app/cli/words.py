"""Reads the words of a command line: its options with their values, and the files that they name."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from app.cli import anomalib
from app.cli.class_names import CLASS_OPTIONS, known_name
from app.cli.configuration import SUFFIXES, Configuration
from app.cli.options import OWN, options_of_class
from app.cli.value_types import NULLS, value_of

CONFIG = "--config"


@dataclass(frozen=True, slots=True)
class Given:
    """An option or an argument that a user gave.

    name: the option without dashes and without `init_args`; empty: a positional argument
    value: its value, as a type of Python; for a class its name
    text: its value as it was written; None: no value follows the option, or it stands in a file
    where: what messages call it: `--data.root`, or file, line and key
    in_file: whether it stands in a file
    """

    name: str
    value: object
    text: str | None
    where: str
    in_file: bool = False

    @property
    def is_null(self) -> bool:
        """Whether the value is null, or an empty text."""
        return (self.in_file and self.value in (None, "")) if self.text is None else self.text in NULLS


@dataclass(frozen=True, slots=True)
class CommandLine:
    """A command line.

    words: the words for the parser, with the names of Tessera's classes and without the options of anomalib that have
        no effect
    given: the options and arguments of the words and of the files, in their order, without the command
    notes: what users should know about options that were left out
    """

    words: list[str] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, words: Sequence[str]) -> "CommandLine":
        """Reads the words. Raises UsageError for an unknown class, and for a file that cannot be read."""
        line = cls()
        left_out: dict[str, None] = {}
        kinds: dict[str, str] = {}
        for option, text in _pairs(words):
            name = _name(option)
            if option == CONFIG and text is not None:
                line._add_file(text)
            elif anomalib.is_without_effect(name) and not _is_parameter(name, kinds):
                left_out[name] = None
            elif name in CLASS_OPTIONS and text:
                kinds[name] = line._add_class(option, name, text)
            else:
                line._add(option, name, text)
        if left_out:
            line.notes.append(anomalib.note(left_out, ""))
        return line

    def _add(self, option: str, name: str, text: str | None) -> None:
        self.words.extend([option] if text is None else [text] if not option else [option, text])
        if name.partition(".")[0] not in OWN and not name.endswith(".help"):
            value = None if text is None else value_of(text)
            self.given.append(Given(name, value, text, option.removesuffix("+")))

    def _add_class(self, option: str, name: str, text: str) -> str:
        """Adds a class by its name, by its specification in JSON, or by a file with that. Returns its name."""
        if text[:1] in "{[" or text in NULLS:
            self._add(option, name, text)
            found = value_of(text)
            return str(found.get("class_path", "")) if isinstance(found, dict) else ""
        if text.endswith(SUFFIXES):
            file = Configuration.read(Path(text), name)
            self.words.extend((option, json.dumps(file.content)))
            self._add_entries(file)
            return next((str(each.value) for each in file.entries if each.name == name), "")
        known = known_name(name, text)
        self.words.extend((option, known))
        self.given.append(Given(name, known, text, option.removesuffix("+")))
        return known

    def _add_file(self, text: str) -> None:
        if text[:1] == "{":  # the options themselves, in JSON
            self.words.extend((CONFIG, text))
            return
        file = Configuration.read(Path(text))
        self.words.extend((CONFIG, yaml.safe_dump(file.content) if file.is_changed else text))
        self._add_entries(file)

    def _add_entries(self, file: Configuration) -> None:
        self.given.extend(Given(each.name, each.value, None, each.where, in_file=True) for each in file.entries)
        if file.without_effect:
            self.notes.append(anomalib.note(dict.fromkeys(file.without_effect), f"{file.path}: "))


def _pairs(words: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """Each option with its value, and each other word with an empty option. None: no value follows."""
    waiting = list(words)
    while waiting:
        word = waiting.pop(0)
        option, equals, value = word.partition("=")
        if not _is_option(word):
            yield "", word
        elif equals:
            yield option, value
        elif _name(word) in OWN and word != CONFIG:
            yield word, None
        else:
            yield word, waiting.pop(0) if waiting and not _is_option(waiting[0]) else None


def _is_option(word: str) -> bool:
    return word.startswith("-") and len(word) > 1 and not word[1:2].isdigit() and word[1:2] != "."


def _name(option: str) -> str:
    return option.lstrip("-").removesuffix("+").replace(".init_args.", ".")


def _is_parameter(name: str, kinds: dict[str, str]) -> bool:
    """Whether a class that was given has a parameter of this name after all, such as `test_split_ratio` of Folder."""
    group = name.rpartition(".")[0]
    return group in kinds and name in options_of_class(group, kinds[group])
