"""The main result of an evaluation in words: what is missed, and how often a normal picture raises an alarm."""

from app.evaluation.intervals import share_intervals_of
from app.evaluation.result import Evaluation
from app.scoring import Interval


def headline(evaluation: Evaluation) -> str:
    """What the model does at its threshold, as the end of a sentence whose subject it is: the defects that it finds,
    and the normal pictures that it calls anomalous. Empty without a calibration.
    """
    found = evaluation.image.at_threshold
    if found is None:
        return ""
    intervals, parts = share_intervals_of(found), []
    if found.recall is not None:
        counts = f"finds {found.true_positives} of {evaluation.image.anomalous} defects"
        parts.append(f"{counts} ({_with_interval(found.recall, intervals['recall'])})")
    if found.false_positive_rate is not None:
        counts = f"calls {found.false_positives} of {evaluation.image.normal} normal pictures anomalous"
        parts.append(f"{counts} ({_with_interval(found.false_positive_rate, intervals['false_positive_rate'])})")
    return " and ".join(parts)


def percent(share: float) -> str:
    """The share in percent, without its sign: whole numbers, or one decimal below 10 % and above 90 %."""
    text = f"{100 * share:.0f}" if 0.1 <= share <= 0.9 else f"{100 * share:.1f}"
    return text.removesuffix(".0")


def _with_interval(share: float, interval: Interval) -> str:
    low, high = map(percent, interval)
    return f"{percent(share)} %, 95 % interval {low} to {high} %"
