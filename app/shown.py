"""Values that clients sent, in messages for people."""

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
