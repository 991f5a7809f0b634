"""Which pictures are kept, as the setting `pictures_keep` says."""

import re
from dataclasses import dataclass

from app.errors import InvalidPictures
from app.pipeline import Label

_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")
_COUNT = re.compile(r"[1-9][0-9]{0,8}")
HELP = (
    "give `all`, or some of `anomalous`, `near:BAND` (such as near:0.1) and `every:N` (such as every:100), with commas"
)


@dataclass(frozen=True, slots=True)
class Rules:
    """Which pictures are kept: those that any rule chooses.

    near: pictures whose score is at most so far from the threshold; None: no such rule
    every: one of so many pictures of each model; 0: no such rule
    """

    all: bool = False
    anomalous: bool = False
    near: float | None = None
    every: int = 0

    def choose(self, score: float, threshold: float, label: Label, number: int) -> str | None:
        """The rule that keeps a picture; None: none does.

        score, threshold: normalised, in [0, 1]
        number: of the picture among those of its model, from 0
        """
        if self.near is not None and abs(score - threshold) <= self.near:
            return f"near:{self.near:g}"
        if self.anomalous and label is Label.anomalous:
            return "anomalous"
        if self.every and number % self.every == 0:
            return f"every:{self.every}"
        return "all" if self.all else None


def parse_rules(text: str) -> Rules:
    """The rules of a text such as `near:0.1,anomalous,every:100`. Raises InvalidPictures."""
    found: dict[str, bool | float | int] = {}
    for word in text.split(","):
        name, colon, value = word.strip().partition(":")
        if name in found:
            raise InvalidPictures(f"{name!r} is given twice; {HELP}")
        if name in ("all", "anomalous") and not colon:
            found[name] = True
        elif name == "near" and _NUMBER.fullmatch(value) and 0 < float(value) <= 1:
            found[name] = float(value)
        elif name == "every" and _COUNT.fullmatch(value):
            found[name] = int(value)
        else:
            raise InvalidPictures(f"{word.strip()!r} is no rule; {HELP}")
    return Rules(bool(found.get("all")), bool(found.get("anomalous")), found.get("near"), int(found.get("every", 0)))
