"""What the name of a folder says about its pictures."""

import re
from enum import StrEnum
from itertools import pairwise

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_NOT = {"no", "non", "not", "un", "without"}
_GOOD = {"good", "normal", "ok", "okay", "pass", "passed"}
_DEFECT = {
    *("abnormal", "abnormality", "abnormalities", "anomalous", "anomaly", "anomalies", "bad", "broken"),
    *("contaminated", "contamination", "crack", "cracked", "damage", "damaged", "defect", "defected", "defective"),
    *("dent", "dented", "fail", "failed", "failure", "fault", "faulty", "flaw", "flawed", "ng", "nio", "nok"),
    *("reject", "rejected", "scratch", "scratched", "scratches", "stain", "stained"),
}
_MASK = {"groundtruth", "mask"}


class Content(StrEnum):
    """The pictures that the name of a folder announces."""

    good = "good"
    defects = "defects"
    masks = "masks"


def content_of(name: str) -> Content | None:
    """The pictures that the name of a folder announces; None: the name does not say.

    Words are separated by capitals, digits and everything that is not a letter: `NG_2`, `bad-parts` and `notOK`
    announce defects, `defect_free` and `no-anomalies` good pictures.
    """
    words = [_singular(word.lower()) for word in _WORD.findall(name)]
    if _MASK & set(words) or "groundtruth" in "".join(words):
        return Content.masks
    pairs = list(pairwise(["", *words, ""]))
    negated = {word for before, word in pairs if before in _NOT} | {word for word, after in pairs if after == "free"}
    good, defects = _GOOD & set(words), _DEFECT & set(words)
    if defects - negated or good & negated:
        return Content.defects
    return Content.good if good or defects else None


def _singular(word: str) -> str:
    return word.removesuffix("s") if word.removesuffix("s") in _DEFECT | _GOOD | _MASK else word
