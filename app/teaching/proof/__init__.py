"""The proof of a candidate: what it changes, beside the version that serves, before it serves.

Here is what servers need of it. `prove` and `known_pictures` are in modules of their own: they need the learning half,
which servers leave to a process.
"""

from app.teaching.proof.proof import ChangedPicture, Doubt, DoubtfulPicture, MarkedKind, Proof, ProofResult, Share
from app.teaching.proof.record import proof_of, values_of
from app.teaching.proof.rules import ServeRules, parse_serve_rules
from app.teaching.proof.sentences import sentences_of

__all__ = [
    "ChangedPicture",
    "Doubt",
    "DoubtfulPicture",
    "MarkedKind",
    "Proof",
    "ProofResult",
    "ServeRules",
    "Share",
    "parse_serve_rules",
    "proof_of",
    "sentences_of",
    "values_of",
]
