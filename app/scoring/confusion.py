"""What a threshold makes of labelled values."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Confusion:
    """How many values exceed a threshold and should, exceed it and should not, and so on. Shares without a base are
    None: precision where nothing exceeds it, recall without anomalous values, a rate of false alarms without normal
    ones."""

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @property
    def precision(self) -> float | None:
        """The share of what exceeds the threshold that is anomalous."""
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float | None:
        """The share of what is anomalous that exceeds the threshold."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def false_positive_rate(self) -> float | None:
        """The share of what is normal that exceeds the threshold."""
        return _share(self.false_positives, self.false_positives + self.true_negatives)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall; None without anomalous values."""
        if self.recall is None:
            return None
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
