"""The metrics of a level (pictures or pixels): one table for manifests, the terminal and `Engine`."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from app.evaluation.result import Evaluation, Level
from app.scoring import AUPRO_LIMITS, Confusion, Ranking


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric of a level.

    name: its name for programs; in manifests it follows `image_` or `pixel_`
    label: its name on the terminal
    torchmetrics: its name in `Engine`, which uses anomalib's names; None: `Engine` does not have it
    of: returns its value; None if it could not be measured
    recorded: whether manifests record it; those that depend on the threshold are not recorded
    """

    name: str
    label: str
    torchmetrics: str | None
    of: Callable[[Level], float | None]
    recorded: bool = True


def _ranked(value: Callable[[Ranking], float | None], level: Level) -> float | None:
    return value(level.ranking) if level.ranking else None


def _at_threshold(value: Callable[[Confusion], float | None], level: Level) -> float | None:
    return value(level.at_threshold) if level.at_threshold else None


def _aupro(limit: float) -> Figure:
    names = {0.3: "AUPRO"}
    return Figure(
        f"aupro_{limit}",
        f"AUPRO, limit {limit}",
        names.get(limit),
        partial(_ranked, lambda found: found.aupro.get(limit)),
    )


FIGURES = (
    Figure("auroc", "AUROC", "AUROC", partial(_ranked, lambda found: found.auroc)),
    Figure("average_precision", "average precision", "AUPR", partial(_ranked, lambda found: found.average_precision)),
    *map(_aupro, AUPRO_LIMITS),
    Figure("best_f1", "best F1", "F1Max", partial(_ranked, lambda found: found.best_f1.f1)),
    Figure("f1", "F1 at the threshold", "F1Score", partial(_at_threshold, lambda found: found.f1), False),
    Figure(
        "precision", "precision at the threshold", None, partial(_at_threshold, lambda found: found.precision), False
    ),
    Figure("recall", "recall at the threshold", None, partial(_at_threshold, lambda found: found.recall), False),
    Figure(
        "false_positive_rate",
        "false-positive rate at the threshold",
        None,
        partial(_at_threshold, lambda found: found.false_positive_rate),
        False,
    ),
)
"""All metrics, in the order in which they are shown."""


def manifest_metrics(evaluation: Evaluation) -> dict[str, float]:
    """The metrics that do not depend on a threshold and could be measured, by their names in a manifest."""
    levels = {"image": evaluation.image, "pixel": evaluation.pixel}
    values = {
        f"{name}_{figure.name}": figure.of(level)
        for name, level in levels.items()
        if level is not None
        for figure in FIGURES
        if figure.recorded
    }
    return {name: value for name, value in values.items() if value is not None}
