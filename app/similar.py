"""The known name that a mistyped one probably means."""

from collections.abc import Iterable
from difflib import get_close_matches

SIMILARITY = 0.6
"""The least similarity of a name that is suggested, as `difflib` measures it."""
LONGEST = 100  # characters that are compared, because comparing takes the square of the time


def nearest(name: str, known: Iterable[str], similarity: float = SIMILARITY) -> str | None:
    """The known name that is most similar; None if none is similar enough. Ignores case, hyphens and underscores."""
    plain = {_plain(each): each for each in known}
    close = get_close_matches(_plain(name), plain, n=1, cutoff=similarity)
    return plain[close[0]] if close else None


def _plain(name: str) -> str:
    return name[:LONGEST].lower().replace("-", "").replace("_", "")
