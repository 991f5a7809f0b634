"""Errors that are kept longer than what they were raised in."""

from typing import TypeVar

E = TypeVar("E", bound=BaseException)


def bare(error: E) -> E:
    """The error without its traceback, whose frames would keep the tensors of a failed load in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)
