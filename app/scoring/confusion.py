"""Counts of labelled values above and below a threshold."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Confusion:
    """The confusion matrix of a threshold.

    true_positives: the number of anomalous values that exceed the threshold
    false_positives: the number of normal values that exceed the threshold
    true_negatives: the number of normal values that do not exceed the threshold
    false_negatives: the number of anomalous values that do not exceed the threshold
    """

    true_positives: int
    false_positives: int
    true_negatives: int
    false_negatives: int

    @property
    def precision(self) -> float | None:
        """The share of the values above the threshold that is anomalous.

        None if no value exceeds the threshold, or none is anomalous.
        """
        if self.true_positives + self.false_negatives == 0:
            return None
        return _share(self.true_positives, self.true_positives + self.false_positives)

    @property
    def recall(self) -> float | None:
        """The share of the anomalous values that exceeds the threshold; None without anomalous values."""
        return _share(self.true_positives, self.true_positives + self.false_negatives)

    @property
    def false_positive_rate(self) -> float | None:
        """The share of the normal values that exceeds the threshold; None without normal values."""
        return _share(self.false_positives, self.false_positives + self.true_negatives)

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall; None without anomalous values."""
        if self.recall is None:
            return None
        return _share(2 * self.true_positives, 2 * self.true_positives + self.false_positives + self.false_negatives)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
