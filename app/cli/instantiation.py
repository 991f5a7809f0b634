"""Makes objects from parsed options."""

from jsonargparse import ArgumentParser, Namespace

from app.errors import TesseraError


def instantiate(parser: ArgumentParser, options: Namespace) -> Namespace:
    """The options with their classes instantiate. A TesseraError is raised as it is, not wrapped by the parser."""
    try:
        made: Namespace = parser.instantiate(options)
    except ValueError as error:
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, TesseraError):
            cause = cause.__cause__ or cause.__context__
        raise cause or error from None
    return made
