"""Requests that cannot be taken, by what is wrong with them."""

from fastapi import HTTPException


def malformed(detail: str) -> HTTPException:
    """The bytes are not what their headers say, or no JSON."""
    return HTTPException(400, detail)


def invalid(detail: str) -> HTTPException:
    """The request is understood, and asks for what cannot be."""
    return HTTPException(422, detail)


def too_large(detail: str) -> HTTPException:
    """A limit is exceeded."""
    return HTTPException(413, detail)
