"""Watches a training in one pass: continues and saves it, and estimates its time."""

from collections.abc import Callable
from time import perf_counter

from app.detectors import Fitter
from app.training.forecast import Ahead, expect_training
from app.training.resumption import Resumption
from app.training.time_left import TimeLeft
from app.trials import Timer


class Monitor:
    """Is told of each picture that a fitter gets.

    resumption: where the fitter is saved
    left: the time of the training; announced after the first pictures
    ahead: estimates what follows after the fit
    """

    def __init__(
        self,
        resumption: Resumption,
        left: TimeLeft,
        ahead: Callable[[], Ahead],
        timer: Timer | None = None,
    ) -> None:
        self._resumption, self._left, self._ahead, self._timer = resumption, left, ahead, timer or timed
        self._is_estimated = False
        self._pictures, self._add_s = 0, 0.0

    def begin(self, fitter: Fitter) -> int:
        """Restores the fitter, and returns the number of pictures that it has."""
        self._resumption.restore(fitter)
        return len(self._resumption.added)

    def added(self, fitter: Fitter, seconds: float) -> None:
        """The next picture was added, and `Fitter.add` took this time."""
        self._resumption.picture_added()
        self._pictures, self._add_s = self._pictures + 1, self._add_s + seconds
        if not self._is_estimated and self._left.pace_s is not None:
            self._left.leave_out(self._timer(lambda: self._estimate(fitter)))
        self.save(fitter)

    def save(self, fitter: Fitter) -> None:
        """Saves the fitter if that is due."""
        self._resumption.save_if_due(fitter)

    def _estimate(self, fitter: Fitter) -> None:
        forecast, pace_s = fitter.forecast(self._timer), self._left.pace_s
        if forecast is None or pace_s is None:
            return
        self._left.forget()  # a choice of the detector expected the stages of its first candidate
        network_s = max(pace_s - self._add_s / self._pictures, 0.0)  # too little if both work at the same time
        expect_training(self._left, forecast, network_s, self._ahead())
        self._left.announce()
        self._is_estimated = True


def timed(work: Callable[[], object]) -> float:
    """The seconds that work takes."""
    started = perf_counter()
    work()
    return perf_counter() - started
