"""Makes objects from parsed options."""

import re

from jsonargparse import ArgumentParser, Namespace

from app.cli.class_names import CLASS_OPTIONS
from app.cli.options import Options, options_of_class
from app.errors import TesseraError

_NAME = re.compile(r"(\w+)(?= is )")


def instantiate(parser: ArgumentParser, options: Namespace) -> Namespace:
    """The options with their classes instantiated. Raises the error of a class as it is, not wrapped by the parser.

    A message that begins with a parameter's name begins with the option instead: `data.image_size is ...`.
    """
    try:
        made: Namespace = parser.instantiate(options)
    except (ValueError, TesseraError) as error:
        raise _with_option(_innermost(error), parser, options) from None
    return made


def _innermost(error: BaseException) -> BaseException:
    """The TesseraError that caused an error, or else its first cause."""
    cause = error
    while not isinstance(cause, TesseraError):
        earlier = cause.__cause__ or cause.__context__
        if earlier is None:
            return cause
        cause = earlier
    return cause


def _with_option(error: BaseException, parser: ArgumentParser, options: Namespace) -> BaseException:
    found = _NAME.match(str(error))
    if not isinstance(error, TesseraError) or found is None:
        return error
    names = [name for name in _names(parser, options) if name.rpartition(".")[2] == found[1] and "." in name]
    if len(names) != 1:
        return error
    return type(error)(names[0] + str(error)[found.end() :])


def _names(parser: ArgumentParser, options: Namespace) -> list[str]:
    """The names of all options, those of the classes that were given included."""
    known = Options.of(parser)
    given = {name: options.get(name) for name in CLASS_OPTIONS if name in known.classes}
    specs = [(name, each) for name, value in given.items() for each in (value if isinstance(value, list) else [value])]
    paths = [
        (name, str(each.class_path)) for name, each in specs if isinstance(each, Namespace) and each.get("class_path")
    ]
    return [*known.plain, *(own for name, path in paths for own in options_of_class(name, path))]
