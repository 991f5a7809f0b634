"""Finds what is wrong with a command line, in words for users.

jsonargparse reports the first problem only, in the terms of its types. So its parser decides whether a command line is
right, and this module says why one is not.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args, get_origin

from app.cli import anomalib
from app.cli.class_names import CLASS_OPTIONS, classes
from app.cli.options import Option, Options, default_of, options_of_class
from app.cli.value_types import alternatives, fits, holds_null, wanted
from app.cli.words import Given
from app.similar import nearest

NEARLY = 0.75
"""The least similarity of an option that is suggested: names of options share many words."""


def null_problems(options: Options, given: Sequence[Given]) -> Iterator[str]:
    """Options whose value is null, or an empty text, and may not be. The last value of an option counts."""
    last = {each.name: each for each in given if each.name}
    kinds = _kinds(given)
    for each in last.values():
        if each.text is None and not each.in_file:
            continue  # no value follows
        option = _option(options, kinds, each.name)
        if option is None:
            if each.in_file and each.value is None and _is_group(options, each.name):
                yield f"{each.where} is empty; write its options below it, or leave it out"
        elif each.name in options.classes and each.is_null:
            if option.required or option.default is not None:
                yield f"{each.where} is empty (null); give {_class_choice(each.name)}{_or_default(option)}"
        elif each.is_null and not (each.text == "" and option.default in ("", None) and not _needs_text(option)):
            if each.text == "" or not fits(option.kind, None):
                yield f"{each.where} is empty (null); give {wanted(option.kind)}{_or_default(option)}"
        elif holds_null(each.value) and not fits(option.kind, each.value):
            yield _unfit(option, each)


def usage_problems(options: Options, given: Sequence[Given]) -> list[str]:
    """Everything that is wrong: unknown options, values of another type, missing options."""
    return [*_problems(options, given), *_missing(options, given)]


def _problems(options: Options, given: Sequence[Given]) -> Iterator[str]:
    every = _kinds(given)
    kinds: dict[str, str] = {}
    unknown: dict[str, list[str]] = {}
    positional = 0
    for number, each in enumerate(given):
        if not each.name:
            positional += 1
            yield from _positional(options, given, number, positional)
            continue
        if each.name in options.classes and isinstance(each.value, str):
            kinds[each.name] = each.value
        group = next((name for name in options.classes if each.name.startswith(f"{name}.")), None)
        option = _option(options, every if each.in_file else kinds, each.name)
        if option is not None:
            yield from _value(option, each)
        elif group and group not in kinds and not each.in_file:
            yield _before_class(each.where, group, every.get(group))
        elif each.in_file:
            file, _, key = each.where.partition(": ")
            advice = _advice(options, every, each.name, in_file=True)
            unknown.setdefault(file.rpartition(", line ")[0], []).append(
                f"{key} (line {file.rpartition(' ')[2]}{advice and f'; {advice}'})"
            )
        elif not _is_group(options, each.name):
            advice = _advice(options, every, each.name)
            yield f"{each.where} is not an option{_of_class(group, kinds)}{advice and f'; {advice}'}"
    for file, keys in unknown.items():
        yield f"{file}: unknown keys: {', '.join(keys)}"


def _missing(options: Options, given: Sequence[Given]) -> Iterator[str]:
    names, kinds = {each.name for each in given}, _kinds(given)
    absent = [f"--{name}" for name, option in options.classes.items() if option.required and name not in kinds]
    absent += [f"--{name}" for name, option in options.plain.items() if option.required and name not in names]
    found = sum(not each.name for each in given)
    absent += [option.name.upper() for option in options.positional[found:]]
    for group, kind in kinds.items():
        if group in options.classes:
            own = options_of_class(group, kind)
            absent += [f"--{name} ({each.help})" for name, each in own.items() if each.required and name not in names]
    if absent:
        yield f"missing: {', '.join(absent)}"


def _kinds(given: Sequence[Given]) -> dict[str, str]:
    """The classes that were given, by their option."""
    return {each.name: each.value for each in given if each.name in CLASS_OPTIONS and isinstance(each.value, str)}


def _option(options: Options, kinds: Mapping[str, str], name: str) -> Option | None:
    if name in options.plain or name in options.classes:
        return options.plain.get(name) or options.classes[name]
    for group in options.classes:
        if name.startswith(f"{group}.") and group in kinds:
            return options_of_class(group, kinds[group]).get(name)
    return None


def _is_group(options: Options, name: str) -> bool:
    parts = name.removesuffix(".init_args").removesuffix(".class_path")
    return parts in options.groups or (parts in options.classes and parts != name)


def _value(option: Option, given: Given) -> Iterator[str]:
    if given.name in CLASS_OPTIONS:
        if given.value is None and given.text is None and not given.in_file:
            yield f"{given.where} needs {_class_choice(given.name)}"
    elif given.text is None and not given.in_file:
        yield f"{given.where} needs a value: {wanted(option.kind)}"
    elif not fits(option.kind, given.value):
        yield _unfit(option, given)


def _unfit(option: Option, given: Given) -> str:
    shown = given.value if given.text is None else given.text
    return f"{given.where} is {shown}; give {wanted(option.kind, given.text or given.value)}"


def _positional(options: Options, given: Sequence[Given], number: int, place: int) -> Iterator[str]:
    each = given[number]
    if place <= len(options.positional):
        option = options.positional[place - 1]
        if not fits(option.kind, each.text):
            yield f"{option.name.upper()} is {each.text!r}; give {wanted(option.kind)}"
    elif not options.several:
        before = given[number - 1] if number else each
        option_before = _option(options, _kinds(given), before.name) if before.name else None
        if option_before is not None and _takes_list(option_before.kind):
            several = f'{before.where} "[{before.text}, {each.text}]"'
            yield f"{each.text} after {before.where} is not expected; write a list as {several}"
        else:
            yield f"{each.text!r} is not expected; options begin with two dashes"


def _before_class(where: str, group: str, later: str | None) -> str:
    if later:
        return f"{where} stands before its class; put --{group} {later} before it"
    return f"{where} needs a class; put --{group} {next(iter(classes(group)))} before it ({_class_choice(group)})"


def _of_class(group: str | None, kinds: Mapping[str, str]) -> str:
    return f" of {kinds[group]}" if group and group in kinds else ""


def _advice(options: Options, kinds: Mapping[str, str], name: str, *, in_file: bool = False) -> str:
    """The option that may be meant."""
    if name in anomalib.OTHER_OPTIONS and not in_file:
        return anomalib.OTHER_OPTIONS[name]
    dashes = "" if in_file else "--"
    group = next((each for each in options.classes if name.startswith(f"{each}.")), None)
    if group:
        owners = [each for each in classes(group) if name in options_of_class(group, each)]
        if owners and group in kinds:
            return f"it is one of {' and '.join(owners)}"
    known = [*options.plain, *options.classes]
    for option, kind in kinds.items():
        if option in options.classes:
            known += options_of_class(option, kind)
    leaf = name.rpartition(".")[2].lower().replace("-", "_")
    same = [each for each in known if each.rpartition(".")[2] == leaf]
    if not same:
        same = [
            each
            for option in options.classes
            for kind in classes(option)
            for each in options_of_class(option, kind)
            if each.rpartition(".")[2] == leaf
        ]
    close = same[0] if same else nearest(name, known, NEARLY) or _close_leaf(leaf, known)
    return f"did you mean {dashes}{close}?" if close else ""


def _close_leaf(leaf: str, known: Sequence[str]) -> str | None:
    leaves = {each.rpartition(".")[2]: each for each in known}
    close = nearest(leaf, leaves, NEARLY)
    return leaves[close] if close else None


def _class_choice(option: str) -> str:
    names = list(classes(option))
    return f"{', '.join(names[:-1])} or {names[-1]}"


def _or_default(option: Option) -> str:
    if option.required:
        return f" ({option.help})" if option.help else ""
    default = default_of(option)
    return ", or leave it out" + (f" for {default}" if default not in (None, "") else "")


def _needs_text(option: Option) -> bool:
    """Whether an empty text cannot be meant: paths, names and numbers."""
    return option.required or Path in alternatives(option.kind) or not fits(option.kind, "")


def _takes_list(kind: object) -> bool:
    return any(_takes_list(each) for each in get_args(kind)) or (
        isinstance(get_origin(kind), type) and issubclass(get_origin(kind), Sequence)  # type: ignore[arg-type]
    )
