"""Makes objects from parsed options."""

from jsonargparse import ArgumentParser, Namespace

from app.errors import TesseraError


def instantiate(parser: ArgumentParser, options: Namespace) -> Namespace:
    """The options with their classes instantiated. Raises the error of a class as it is, not wrapped by the parser."""
    try:
        made: Namespace = parser.instantiate(options)
    except ValueError as error:
        raise _innermost(error) from None
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
