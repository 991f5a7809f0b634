"""Values that clients sent, and names of files, in messages for people."""

import re
from collections.abc import Sequence

LONGEST = 200
"""The most characters of a value that a message repeats."""


def shown(value: object) -> str:
    """`repr(value)`, cut after LONGEST characters; also for integers of any length, whose `repr` raises ValueError."""
    if isinstance(value, str):
        value = value[: LONGEST + 1]
    try:
        text = repr(value)
    except ValueError:  # Python does not write integers of more than 4,300 digits
        return "a number of thousands of digits"
    return text if len(text) <= LONGEST + 2 else f"{text[:LONGEST]}…"


_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """The text in one line: control characters, and bytes of a path that are not UTF-8, are escapes such as `\\n`.

    So a name cannot look like a line of its own, move the cursor of a terminal, or reverse the direction of the text.
    """
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


NAMED = 10
"""The most names in a sentence."""


def listed(names: Sequence[str], count: int | None = None) -> str:
    """The names in one line, at most NAMED of them, and how many more there are.

    count: the number of all, of which `names` may be the first ones; None: `names` has all
    """
    named = names[:NAMED]
    more = (len(names) if count is None else count) - len(named)
    return ", ".join(map(printable, named)) + (f" and {more} more" if more else "")


MOST_CHARACTERS = 2000
"""The most characters of a message in an answer or in the log."""
_READ = 50 * MOST_CHARACTERS  # at the beginning and at the end of a message
_LONG_WORD = re.compile(rf"\S{{{LONGEST + 1},}}")


def bounded(message: str) -> str:
    """The message with each word cut after LONGEST characters, and in all at most MOST_CHARACTERS.

    It applies to every message, because messages of libraries and of many places here repeat values of clients.
    """
    if len(message) <= LONGEST:
        return message
    message = message[:_READ] + message[max(_READ, len(message) - _READ) :]
    message = _LONG_WORD.sub(lambda word: f"{word[0][:LONGEST]}…", message)
    return message if len(message) <= MOST_CHARACTERS else f"{message[:MOST_CHARACTERS]}…"
