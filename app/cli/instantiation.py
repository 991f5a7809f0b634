"""From parsed options to objects."""

from jsonargparse import ArgumentParser, Namespace

from app.errors import TesseraError


def instantiated(parser: ArgumentParser, options: Namespace) -> Namespace:
    """The options with their classes made; an error of ours is raised as it is, not wrapped in the parser's words."""
    try:
        made: Namespace = parser.instantiate(options)
    except ValueError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, TesseraError):
            cause = cause.__cause__ or cause.__context__
        raise cause or error from None
    return made
