"""Configuration files: YAML or JSON with the options of a command, in Tessera's and in anomalib's names."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from app.cli import anomalib
from app.cli.class_names import CLASS_OPTIONS, known_name
from app.cli.options import options_of_class
from app.cli.usage import UsageError

SUFFIXES = (".yaml", ".yml", ".json")

Place = tuple[str | int, ...]
Content = dict[str, object]


@dataclass(frozen=True, slots=True)
class Entry:
    """A key of a file.

    name: the option, without `init_args`, such as `data.root`; the option itself for its class
    value: the value; for a class its name
    where: the file, the line and the key, for messages
    """

    name: str
    value: object
    where: str


@dataclass(frozen=True, slots=True)
class Configuration:
    """The content of a file.

    path: the file
    content: its keys, with Tessera's names of classes and without the keys of anomalib that have no effect
    is_changed: whether the content is another one than that of the file
    entries: the keys of the content
    without_effect: the keys that were left out
    """

    path: Path
    content: object
    is_changed: bool
    entries: tuple[Entry, ...]
    without_effect: tuple[str, ...]

    @classmethod
    def read(cls, path: Path, option: str = "") -> "Configuration":
        """Reads the options of a command or, with `option`, its class and the class's options. Raises UsageError."""
        try:
            text = path.read_text(encoding="utf-8")
            node, content = yaml.compose(text, yaml.SafeLoader), yaml.safe_load(text)
        except OSError as error:
            raise UsageError(f"{path}: {error.strerror}; name a YAML file") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{path} is not a text in UTF-8; name a YAML file") from error
        except yaml.MarkedYAMLError as error:
            line = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
            raise UsageError(f"{path}{line}: {error.problem or 'this is no YAML'}") from error
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            raise UsageError(f"{path}: this is no YAML: {' '.join(str(error).split())}") from error
        if content is None:
            raise UsageError(f"{path} is empty; write options into it, such as `name: surface`")
        if not isinstance(content, dict):
            raise UsageError(f"{path} is no mapping; write options into it, one a line, such as `name: surface`")
        reader = _Reader(path, dict(_lines(node, ())))
        kept = reader.spec(option, content, ()) if option else reader.mapping("", content, ())
        changed = kept != content
        return cls(path, kept, changed, tuple(reader.entries), tuple(dict.fromkeys(reader.without_effect)))


class _Reader:
    """Reads the keys of one file."""

    def __init__(self, path: Path, lines: Mapping[Place, int]) -> None:
        self._path, self._lines = path, lines
        self.entries: list[Entry] = []
        self.without_effect: list[str] = []

    def mapping(self, name: str, content: Content, place: Place) -> Content:
        """The content of the keys below the option `name`."""
        kept: Content = {}
        for key, value in content.items():
            option, at = f"{name}.{key}".strip("."), (*place, key)
            if option in CLASS_OPTIONS:
                found = self.spec(option, value, at)
                if found != [] or value == []:
                    kept[key] = found
            elif isinstance(value, dict) and value and not anomalib.is_without_effect(option, in_file=True):
                kept[key] = self.mapping(option, value, at)
            else:
                self._keep(kept, key, option, value, at)
        return kept

    def spec(self, option: str, value: object, place: Place) -> object:
        """The content of a class: its name, or a mapping with `class_path` and `init_args`, or a list of such."""
        if isinstance(value, list):
            specs = [each for each in enumerate(value) if not self._is_dropped_callback(option, each[1])]
            return [self.spec(option, each, (*place, number)) for number, each in specs]
        if isinstance(value, str):
            return self._class(option, value, place)
        if not isinstance(value, dict):
            self._add(option, value, place)
            return value
        kept: Content = {}
        name = value.get("class_path")
        for key, each in value.items():
            at = (*place, key)
            if key == "class_path" and isinstance(each, str):
                kept[key] = self._class(option, each, at)
            elif key == "init_args" and isinstance(each, dict):
                inner: Content = {}
                for own, given in each.items():
                    self._keep(inner, own, f"{option}.{own}", given, (*at, own), str(name))
                kept[key] = inner
            else:
                self._keep(kept, key, f"{option}.{key}", each, at, str(name))
        return kept

    def _keep(
        self, kept: Content, key: str, option: str, value: object, place: Place, class_name: str | None = None
    ) -> None:
        """Keeps a key, unless it is one of anomalib that has no effect."""
        if anomalib.unset(option, value):
            return
        if anomalib.is_without_effect(option, in_file=True) and not _has(option, class_name):
            self.without_effect.append(option)
            return
        kept[key] = anomalib.translated(option, value)
        self._add(option, kept[key], place)

    def _class(self, option: str, name: str, place: Place) -> str:
        if not name:
            self._add(option, None, place)
            return name
        known = known_name(option, name, f"{self._at(place)}:")
        self._add(option, known, place)
        return known

    def _is_dropped_callback(self, option: str, value: object) -> bool:
        name = value.get("class_path") if isinstance(value, dict) else value
        if option != "trainer.callbacks" or str(name).rpartition(".")[2] not in anomalib.CALLBACKS:
            return False
        self.without_effect.append(f"trainer.callbacks.{str(name).rpartition('.')[2]}")
        return True

    def _add(self, option: str, value: object, place: Place) -> None:
        self.entries.append(Entry(option, value, f"{self._at(place)}: {'.'.join(map(str, place)) or option}"))

    def _at(self, place: Place) -> str:
        return f"{self._path}, line {self._lines.get(place, 1)}"


def _has(option: str, class_name: str | None) -> bool:
    """Whether the class has a parameter of this name after all, such as `test_split_ratio` of Folder."""
    return class_name is not None and option in options_of_class(option.rpartition(".")[0], class_name)


def _lines(node: yaml.Node | None, place: Place) -> Iterator[tuple[Place, int]]:
    """The line of each key and item, from 1."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            at = (*place, key.value)
            yield at, key.start_mark.line + 1
            yield from _lines(value, at)
    elif isinstance(node, yaml.SequenceNode):
        for number, item in enumerate(node.value):
            at = (*place, number)
            yield at, item.start_mark.line + 1
            yield from _lines(item, at)
