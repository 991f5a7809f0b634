"""A proof as plain values for JSON, and back."""

from dataclasses import asdict
from typing import Any

from app.teaching.proof.proof import ChangedPicture, Doubt, DoubtfulPicture, MarkedKind, Proof, Share


def values_of(proof: Proof) -> dict[str, Any]:
    """The values of a proof, which JSON can hold."""
    return asdict(proof)


def proof_of(values: dict[str, Any]) -> Proof:
    """The proof of values that `values_of` returned. Raises KeyError, TypeError or ValueError for others."""
    held_out = values["held_out"]
    changed: dict[str, Any] = {
        "unread": tuple(values["unread"]),
        "lost": Share(**values["lost"]),
        "gained": Share(**values["gained"]),
        "held_out": None if held_out is None else Share(**held_out),
        "changes": tuple(ChangedPicture(**each) for each in values["changes"]),
        "marks": tuple(MarkedKind(**each) for each in values["marks"]),
        "doubts": tuple(DoubtfulPicture(**each | {"doubt": Doubt(each["doubt"])}) for each in values["doubts"]),
        "reasons": tuple(values["reasons"]),
    }
    return Proof(**values | changed)
