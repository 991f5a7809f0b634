"""Errors of teachings and of what becomes of their candidates."""

from app.errors.base import TesseraError


class TeachingNotFound(TesseraError):
    """No teaching has this id."""

    code = "teaching_not_found"
    status = 404
    when = "there is no such teaching, or its record was removed"
    example = "there is no teaching '8f14e45fceea167a'; its record may have been removed"


class TeachingConflict(TesseraError):
    """The decision does not fit the state of the teaching."""

    code = "teaching_conflict"
    status = 409
    when = (
        "a taught version is promoted, refused or rolled back although its teaching has no candidate, it was decided "
        "before, or another version serves by now"
    )
    example = "the candidate was compared with version 3 of 'lid', and version 4 serves by now; teach again"


class SecondPersonRequired(TesseraError):
    """A second person must confirm the reviews."""

    code = "second_person_required"
    status = 409
    when = (
        "a taught version is promoted whose proof names doubtful reviews, without `second_person`, or by the API key "
        "that made one of them"
    )
    example = "the proof names 20 pictures that a second person must look at; promote with second_person: true"
