"""A sequential test of whether pictures still come from the distribution of the training.

Conformal p-values (Vovk, Gammerman, Shafer: Algorithmic Learning in a Random World, chapter 8) compare each picture
with the training and all earlier served pictures. While all of them are exchangeable, the p-values of a statistic are
independent and uniform, whatever the distribution and the number of pictures of the training. A bet on a p-value has
the mean 1. The Shiryaev-Roberts statistic R <- (R + 1) * bet sums up the bets that began at each picture, so that R
minus the number of pictures is a martingale (Shin, Ramdas, Rinaldo: E-detectors, 2023). So is every weighted mean of
these over statistics, directions and strengths, however they depend on one another. Therefore a test that stops at
R >= c stops, without a change, after c pictures or more in the mean, and within n pictures with a probability of n / c
or less (Doob's form of Ville's inequality).

Bets are likelihood ratios of shifts by 1, 2 and 3 standard deviations. They lose while a shift is smaller than half a
standard deviation, so that small differences between batches of parts do not add up. They are at most 4, so that a few
pictures with defects do not decide.
"""

from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from app.drift.baseline import Stream

Array = NDArray[np.float64]

MEAN_PICTURES = 20_000
"""The least mean number of pictures between two false alarms."""

SHIFTS = (-3.0, -2.0, -1.0, 1.0, 2.0, 3.0)  # standard deviations
MOST_BET = 4.0
PLACES = 256  # of the tables of bets, in equal parts of the p-value


def bets() -> Array:
    """For each shift and place of a p-value, the factor of the evidence, [shifts,places]; the mean of each row is 1."""
    normal = NormalDist()
    places = np.array([normal.inv_cdf((place + 0.5) / PLACES) for place in range(PLACES)])
    table = np.array([np.exp(shift * places - shift**2 / 2) for shift in SHIFTS])
    for row in table:
        for _ in range(50):  # a smaller bet elsewhere restores the mean of a capped one
            np.minimum(row, MOST_BET, out=row)
            low = row < MOST_BET
            row[low] *= (PLACES - MOST_BET * (~low).sum()) / row[low].sum()
    table /= table.mean(1, keepdims=True)
    return table


class Evidence:
    """The evidence that streams have changed, of one run of the test from its start to its alarm.

    `weights` of the streams sum up to 1. Memory and time a picture do not grow with the number of pictures.
    """

    def __init__(self, streams: Sequence[Stream], weights: Array, random: np.random.Generator) -> None:
        self._weights, self._random, self._bets = weights, random, bets()
        longest = max(len(stream.ranks) for stream in streams)
        self._edges = np.full((len(streams), longest), np.inf)
        self._gaps = np.zeros((len(streams), longest + 1))  # pictures in each gap between edges, and one more in all
        for row, stream in enumerate(streams):
            count = len(stream.ranks)
            values = np.array(stream.values)
            self._edges[row, :count] = np.sort(values + self._jitter(values))
            self._gaps[row, : count + 1] = np.diff([0, *stream.ranks, stream.pictures + 1])
        self._before = np.arange(longest + 1)
        self.pictures = 0
        self._sums = np.zeros((len(streams), len(SHIFTS)))  # R of each stream and shift
        self._log_bets = np.log(self._bets)
        self._rises = np.zeros((len(streams), len(SHIFTS)))  # the largest log of the product of the bets up to now
        self._starts = np.ones((len(streams), len(SHIFTS)), int)  # the picture at which that product begins

    def add(self, values: Array) -> Array:
        """Takes the streams' values of the next picture, and returns their p-values: low for low values."""
        values = values + self._jitter(values)
        gap = (self._edges < values[:, None]).sum(1)
        every = np.arange(len(values))
        held = self._gaps[every, gap]
        below = np.where(self._before < gap[:, None], self._gaps, 0.0).sum(1)
        found: Array = (below + self._random.random(len(values)) * held) / self._gaps.sum(1)
        self._gaps[every, gap] += 1
        place = np.minimum((found * PLACES).astype(int), PLACES - 1)
        self._sums = (self._sums + 1) * self._bets[:, place].T
        self.pictures += 1
        anew = self._rises <= 0
        self._starts[anew] = self.pictures
        self._rises = np.where(anew, 0.0, self._rises) + self._log_bets[:, place].T
        return found

    @property
    def total(self) -> float:
        """The weighted mean of the evidence of all streams; at least MEAN_PICTURES is an alarm."""
        return float(self._weights @ self._sums.mean(1))

    @property
    def parts(self) -> Array:
        """The evidence of each stream, [streams]."""
        found: Array = self._sums.mean(1)
        return found

    @property
    def began(self) -> int:
        """The most likely number of the picture at which the change began, counted from 1.

        Of all pictures, it has the largest product of bets from it to the present, over streams and shifts. That is the
        estimate of the likelihood (Page: Continuous inspection schemes, 1954). `total` passes the mean of its sum only
        some pictures later, because it also counts the many pictures at which nothing began.
        """
        stream, shift = np.unravel_index((self._rises + np.log(self._weights)[:, None]).argmax(), self._rises.shape)
        return int(self._starts[stream, shift])

    @property
    def rising(self) -> NDArray[np.bool_]:
        """For each stream whether its values have risen rather than fallen, [streams]."""
        half = len(SHIFTS) // 2
        found: NDArray[np.bool_] = self._sums[:, half:].sum(1) > self._sums[:, :half].sum(1)
        return found

    def _jitter(self, values: Array) -> Array:
        """Breaks ties, so that equal values get random ranks."""
        noise: Array = (self._random.random(len(values)) - 0.5) * (np.abs(values) * 1e-6 + 1e-9)
        return noise
