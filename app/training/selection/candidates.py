"""The detectors from which `--model auto` chooses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from app.detectors import Fusion, OnePassDetector, Padim, Patchcore, Subspace
from app.scoring import ScoreRule


@dataclass(frozen=True, slots=True)
class Candidate:
    """A detector with its parameters.

    name: for tables and options
    make: makes an unfitted detector; may raise a subclass of TesseraError if something that it needs is not installed
    """

    name: str
    make: Callable[[], OnePassDetector]


RULES = (ScoreRule.top, ScoreRule.map, ScoreRule.patch)


def with_each_score(name: str, kind: Callable[..., OnePassDetector], **options: Any) -> tuple[Candidate, ...]:
    """A candidate for each rule by which the detector can score pictures; they share one fit."""
    return tuple(Candidate(f"{name} {rule}", partial(kind, score=rule, **options)) for rule in RULES)


LITE0 = "efficientnet_lite0"

CANDIDATES: tuple[Candidate, ...] = (
    *with_each_score("whitened PatchCore", Patchcore, whitening=True),
    *with_each_score("Fusion", Fusion),
    *with_each_score("Subspace", Subspace),
    *with_each_score("PatchCore", Patchcore),
    *with_each_score("whitened PatchCore Lite0", Patchcore, whitening=True, backbone=LITE0),
    *with_each_score("PatchCore Lite0", Patchcore, backbone=LITE0),
    *with_each_score("Fusion Lite0", Fusion, backbone=LITE0),
    Candidate("PaDiM", Padim),
)
"""Every candidate, in the order of preference: a later one must be clearly better.

The order follows from real and drawn defects in benchmarks/quality: on none of three data sets was the image AUROC of
the first candidate more than 0.013 behind that of the best one. The same figures chose the order, so they do not test
it. A new candidate needs a line here. Candidates with a backbone share one run of it, if their networks are nothing but
the backbone.
"""

FIRST_WITH_THUMBNAIL = "PatchCore top"
"""The first candidate if the model gets a thumbnail. With one, it finds as much as the whitened candidates, and takes
half their time to calibrate and to serve.
"""


def by_preference(candidates: Sequence[Candidate], thumbnail: bool) -> list[Candidate]:
    """The candidates in the order of preference, given in that of CANDIDATES."""
    return sorted(candidates, key=lambda candidate: thumbnail and candidate.name != FIRST_WITH_THUMBNAIL)
