"""Types of values: whether a value fits, and how a message describes what would."""

import re
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from types import NoneType, UnionType
from typing import Literal, Union, get_args, get_origin

import yaml

NULLS = ("null", "Null", "NULL", "~", "")
"""Texts that mean that there is no value."""

_PAIR = re.compile(r"\s*\(?(\d+)\s*(?:[xX*×,;]|\s)\s*(\d+)\)?\s*")
_WORDS: dict[object, str] = {
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    str: "text",
    Path: "a path",
}


def value_of(text: str) -> object:
    """The value of a word of the command line."""
    try:
        return yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError):  # no YAML, a number of too many digits, too many brackets
        return text


def fits(kind: object, value: object) -> bool:
    """Whether a value is of the type. Types that are not known here fit."""
    origin = get_origin(kind)
    if origin in (Union, UnionType):
        return any(fits(each, value) for each in get_args(kind))
    if origin is Literal:
        return any(str(value) == str(each) for each in get_args(kind))
    if kind in (None, NoneType):
        return value is None
    if isinstance(kind, type) and issubclass(kind, Enum):
        return value in (*kind.__members__, *(each.value for each in kind))
    if kind is bool or kind is int:
        return type(value) is kind
    if kind is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if kind in (str, Path):
        return value is not None and not isinstance(value, list | dict)
    if _is_sequence(origin):
        return isinstance(value, list) and all(fits(get_args(kind)[0], each) for each in value)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return isinstance(value, dict)
    return value is not None


def holds_null(value: object) -> bool:
    """Whether a value is null, or a list with null in it."""
    return value is None or (isinstance(value, list) and any(holds_null(each) for each in value))


def wanted(kind: object, value: object = None) -> str:
    """What would fit, as a noun. `value` is the one that does not, from which an example is made if possible."""
    size = is_size(kind)
    words = [
        _list(size, value) if _is_sequence(get_origin(each)) else "a number of pixels" if size else _noun(each)
        for each in alternatives(kind)
    ]
    return " or ".join(dict.fromkeys(words))


def _noun(kind: object) -> str:
    if get_origin(kind) is Literal:
        return _choice([str(each) for each in get_args(kind)])
    if isinstance(kind, type) and issubclass(kind, Enum):
        return _choice([str(each.value) for each in kind])
    if isinstance(get_origin(kind), type):
        return "keys with values"
    return _WORDS.get(kind, "a class with its options")


def _choice(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _list(is_size: bool, value: object) -> str:
    text = " ".join(map(str, value)) if isinstance(value, list) else str(value)
    if is_size:
        pair = _PAIR.fullmatch(text)
        return f'[height, width], such as "[{pair[1]}, {pair[2]}]"' if pair else '[height, width], such as "[256, 640]"'
    words = [word for word in re.split(r"[,;\s]+", text) if word] if isinstance(value, str) else []
    example = f', such as "[{", ".join(words)}]"' if words else ""
    return f"a list{example}"


def alternatives(kind: object) -> tuple[object, ...]:
    """The types of a union, nested ones too, without None."""
    if get_origin(kind) in (Union, UnionType):
        return tuple(inner for each in get_args(kind) for inner in alternatives(each))
    return () if kind in (None, NoneType) else (kind,)


def is_size(kind: object) -> bool:
    """Whether a type is that of a size in pixels: a number, or a list of two."""
    kinds = alternatives(kind)
    return int in kinds and any(_is_sequence(get_origin(each)) for each in kinds)


def placeholder(kind: object) -> str:
    """What stands for a value in a help text."""
    if get_origin(kind) is Literal:
        return "|".join(str(each) for each in get_args(kind))
    if isinstance(kind, type) and issubclass(kind, Enum):
        return "|".join(str(each.value) for each in kind)
    if _is_sequence(get_origin(kind)):
        return "LIST"
    return {int: "NUMBER", float: "NUMBER", bool: "true|false", Path: "PATH"}.get(kind, "TEXT")  # type: ignore[call-overload, no-any-return]  # any type may be asked for


def _is_sequence(origin: object) -> bool:
    return isinstance(origin, type) and issubclass(origin, Sequence)
