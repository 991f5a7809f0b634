"""Translates class names as users and anomalib's files write them: `padim`, `anomalib.models.Padim`, `MVTecAD`."""

from collections.abc import Sequence
from pathlib import Path

import yaml

from app.errors import InvalidTraining

OPTIONS = ("model", "data", "calibration", "trainer.callbacks")
"""The options that take a class."""
OTHER_NAMES = {"mvtecad": "MVTec"}  # the name in anomalib 2


def translate_class_names(arguments: Sequence[str]) -> list[str]:
    """The arguments with the names of Tessera's classes. Raises InvalidTraining for an unknown class."""
    found: list[str] = []
    option = ""
    for word in arguments:
        given, equals, value = word.partition("=")
        if equals and _group(given):
            found.append(f"{given}={_known(_group(given), value)}")
        elif _group(option) and not word.startswith("-"):
            found.append(_known(_group(option), word))
        elif option == "--config" and Path(word).is_file():
            found.append(_configuration(Path(word)))
        else:
            found.append(word)
        option = word
    return found


def _classes(group: str) -> tuple[str, ...]:
    """The names of the classes that an option takes; imports torch."""
    if group == "model":
        from app.detectors import DETECTORS

        return (*(kind.__name__ for kind in DETECTORS.values()), "Auto")
    return {
        "data": ("MVTec", "Folder", "CsvList"),
        "calibration": ("Automatic", "CrossConformal", "HoldOut", "Labelled", "Reference"),
        "trainer.callbacks": ("TilerConfigurationCallback", "EarlyStopping"),
    }[group]


def _group(option: str) -> str:
    """The option without its dashes and plus if it takes a class, else an empty string."""
    bare = option.removeprefix("--").removesuffix("+")
    return bare if option.startswith("--") and bare in OPTIONS else ""


def _known(group: str, name: str) -> str:
    """The name of Tessera's class; raises InvalidTraining if there is none."""
    if name[:1] in "{[" or not name:  # a class with its parameters, in JSON
        return name
    last = name.rpartition(".")[2]
    for known in _classes(group):
        if OTHER_NAMES.get(last.lower(), last).lower() == known.lower():
            return known
    raise InvalidTraining(f"--{group} {name} is not known; use {', '.join(_classes(group))}")


def _configuration(path: Path) -> str:
    """The path, or the translated content of the file if a name in it had to be translated."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return str(path)  # the parser reports the error
    renamed = _renamed(content, "")
    return str(path) if renamed == content else yaml.safe_dump(renamed)


def _renamed(content: object, place: str) -> object:
    """The content with translated names: those at `class_path`, and those that stand in place of a class.

    `place` is the option that the content belongs to, with dots.
    """
    if isinstance(content, dict):
        return {
            key: _known(place, value)
            if key == "class_path" and place in OPTIONS and isinstance(value, str)
            else _renamed(value, place if key in ("class_path", "init_args") else f"{place}.{key}".strip("."))
            for key, value in content.items()
        }
    if isinstance(content, list) and place in OPTIONS:
        return [_renamed(each, place) for each in content]
    return _known(place, content) if isinstance(content, str) and place in OPTIONS else content
