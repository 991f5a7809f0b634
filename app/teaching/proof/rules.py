"""By which rules a proved candidate serves without a person's word, as the setting `teach_serve` says."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from app.errors import InvalidParameter
from app.teaching.proof.proof import Proof, ProofResult
from app.teaching.proof.sentences import counted

_SHARE = re.compile(r"0?\.[0-9]+|1(\.0+)?")
_COUNT = re.compile(r"[1-9][0-9]{0,8}")
HELP = "give `alarms:RATE,reviewed:NUMBER`, such as alarms:0.08,reviewed:50; both are needed"


@dataclass(frozen=True, slots=True)
class ServeRules:
    """What a sound candidate must show to serve without a person's word.

    alarms: the largest bound of its rate of false alarms
    reviewed: the fewest reviewed pictures
    """

    alarms: float
    reviewed: int

    def unmet(self, proof: Proof) -> Iterator[str]:
        """Yields what the candidate lacks; nothing: it may serve."""
        if proof.result is not ProofResult.sound:
            yield "the proof asks for a person's word"
        if proof.bound is None:
            yield "the rate of false alarms is not known"
        elif proof.bound > self.alarms:
            yield f"the rate of false alarms has the bound {proof.bound:.1%}, and the rule allows {self.alarms:.1%}"
        if proof.reviewed < self.reviewed:
            yield f"{counted(proof.reviewed, 'picture')} reviewed, and the rule needs {self.reviewed}"


def parse_serve_rules(text: str) -> ServeRules | None:
    """The rules of a text such as `alarms:0.08,reviewed:50`; None: there are none. Raises InvalidParameter."""
    if not text:
        return None
    found: dict[str, str] = {}
    for word in text.split(","):
        name, _, value = word.strip().partition(":")
        is_known = (name == "alarms" and _SHARE.fullmatch(value)) or (name == "reviewed" and _COUNT.fullmatch(value))
        if not is_known or name in found:
            raise InvalidParameter(f"{word.strip()!r} is no rule, or is given twice; {HELP}")
        found[name] = value
    if len(found) < 2:
        raise InvalidParameter(f"{text!r} has one rule; {HELP}")
    return ServeRules(float(found["alarms"]), int(found["reviewed"]))
