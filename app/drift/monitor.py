"""Follows the pictures of one model version, and reports when and how they have changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from app.drift.appearance import WHOLE, Appearance
from app.drift.baseline import Baseline
from app.drift.causes import Change, causes
from app.drift.evidence import MEAN_PICTURES, Evidence
from app.drift.history import History, Point

QUIET_PICTURES = 200
"""After so many pictures without another alarm, the camera counts as unchanged again."""

RECENT_PICTURES = 50
SLOW = 0.07
"""A change is slow if p-values were, in the mean of recent pictures before its evidence, so far off 1/2: 2.4 standard
errors.
"""

NAMED = 0.25
"""A statistic has changed if its own weighted evidence is at least this share of that of an alarm,"""
NEGLIGIBLE = 1e-3
"""and at least this share of the largest: five pictures behind, of which each multiplies evidence by at most 4.

So chance at one of many positions does not name a cause beside a statistic that has clearly changed.
"""

NAMING_PICTURES = 6
"""The cause of an alarm is named so many pictures later, when all statistics that have changed show it.

If none shows it any more, because the evidence of a small change also falls, the largest since the alarm counts.
"""


class State(StrEnum):
    """Whether the pictures are like those of the training."""

    no_baseline = "no_baseline"
    same = "same"
    changed = "changed"


@dataclass(frozen=True, slots=True)
class CameraChanged:
    """An alarm of a model version.

    changes: what has changed, the most certain cause first
    sudden: whether it changed at once, rather than slowly
    brighter: for a change of light, whether pictures are brighter than in the training; None: no change of light
    positions: the (row, column) of the places that have changed, if there is one place only
    picture: the number of the picture that raised the alarm, counted from the start of the process
    since: the most likely number of the picture at which the change began
    """

    model: str
    version: int
    changes: tuple[Change, ...]
    sudden: bool
    brighter: bool | None
    positions: tuple[tuple[int, int], ...]
    picture: int
    since: int


@dataclass(frozen=True, slots=True)
class Health:
    """A copy of what a monitor knows; by default of a version without a baseline.

    pictures: the number of pictures since the start of the process
    evidence: the present evidence; at least MEAN_PICTURES raises an alarm
    alarms: the number of alarms since the start
    naming: the number of pictures until the cause of an alarm is named, which then counts as an alarm; 0: there is none
    last: the last alarm that was reported, also if the camera counts as unchanged again
    parts: the evidence of each statistic
    points: the history; each point's means are those of `names`
    """

    state: State = State.no_baseline
    pictures: int = 0
    evidence: float = 0.0
    alarms: int = 0
    naming: int = 0
    last: CameraChanged | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    names: tuple[str, ...] = ()
    points: tuple[Point, ...] = ()


class Monitor:
    """Compares served pictures of a model version with its baseline. Any thread may call it.

    After an alarm the test begins anew with the training's pictures, so that a camera that stays changed raises the
    next alarm, and one that is as before becomes quiet. `report` gets alarms of a camera that counted as the same, and
    those whose first cause is another one.
    """

    def __init__(
        self,
        model: str,
        version: int,
        baseline: Baseline,
        report: Callable[[CameraChanged], None],
        seed: int | None = None,
    ) -> None:
        self.baseline = baseline
        self._model, self._number, self._report = model, version, report
        self._random = np.random.default_rng(seed)
        self._names = tuple(baseline.streams)
        self._whole = np.array([name in WHOLE for name in self._names])
        self._weights = _weights(self._whole)
        self._lock = Lock()
        self._history = History()
        self._pictures = self._alarms = self._quiet = 0
        self._last: CameraChanged | None = None
        self._changed = False
        self._start()

    def _start(self) -> None:
        streams = [self.baseline.streams[name] for name in self._names]
        self._evidence = Evidence(streams, self._weights, self._random)
        self._recent = np.zeros(len(self._names))  # means of the p-values of recent pictures, less 1/2
        self._before = self._recent  # before the evidence began
        self._highest = np.zeros(len(self._names))  # the largest evidence since the alarm, of each statistic
        self._naming = 0  # pictures until the cause of an alarm is named

    def add(self, found: Appearance) -> CameraChanged | None:
        """Takes the statistics of the next picture; returns the alarm that it raises, and reports it."""
        values = np.array([found[name] for name in self._names])
        with self._lock:
            event = self._add(values)
        if event is not None:
            self._report(event)
        return event

    def _add(self, values: NDArray[np.float64]) -> CameraChanged | None:
        self._pictures += 1
        found = self._evidence.add(values)
        self._recent = self._recent + (found - 0.5 - self._recent) / RECENT_PICTURES
        total = self._evidence.total
        self._history.add(Point(self._pictures, total, 1, values[self._whole]))
        if not self._is_named(total):
            self._quiet += 1
            self._changed &= self._quiet < QUIET_PICTURES
            return None
        event = self._alarm()
        news = not self._changed or self._last is None or event.changes[:1] != self._last.changes[:1]
        self._alarms += news
        self._changed, self._quiet = True, 0
        if news:
            self._last = event
        self._start()
        return event if news else None

    def _is_named(self, total: float) -> bool:
        """Whether there is an alarm, and enough pictures came since to name its cause."""
        if not self._naming and total < MEAN_PICTURES:
            if total <= self._evidence.pictures:  # the mean without a change
                self._before = self._recent
            return False
        self._highest = np.maximum(self._highest, self._evidence.parts)
        self._naming = self._naming - 1 if self._naming else NAMING_PICTURES
        return not self._naming

    def _alarm(self) -> CameraChanged:
        least = NAMED * MEAN_PICTURES
        shares = self._evidence.parts * self._weights
        if shares.max() < least:
            shares = self._highest * self._weights
        least = max(least, NEGLIGIBLE * float(shares.max()))
        strong = {name for name, share in zip(self._names, shares, strict=True) if share >= least}
        changes, places = causes(strong, self.baseline.grid)
        return CameraChanged(
            model=self._model,
            version=self._number,
            changes=changes,
            sudden=abs(float(self._before[shares.argmax()])) < SLOW,
            brighter=self._brighter() if Change.light in changes else None,
            positions=places,
            picture=self._pictures,
            since=self._pictures - self._evidence.pictures + self._evidence.began,
        )

    def _brighter(self) -> bool:
        parts, rising = self._evidence.parts, self._evidence.rising
        light = [row for row, name in enumerate(self._names) if WHOLE.get(name) in ("brightness", "highlights")]
        return bool(rising[max(light, key=lambda row: parts[row])])

    @property
    def state(self) -> State:
        """Whether the camera counts as changed."""
        return State.changed if self._changed else State.same

    def health(self) -> Health:
        """A copy of the present state."""
        with self._lock:
            parts = dict(zip(self._names, self._evidence.parts.tolist(), strict=True))
            return Health(
                self.state,
                self._pictures,
                self._evidence.total,
                self._alarms,
                self._naming,
                self._last,
                parts,
                tuple(name for name in self._names if name in WHOLE),
                tuple(self._history.points),
            )


def _weights(whole: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Half of the weight for statistics of whole pictures, half for those of positions."""
    counts = np.where(whole, whole.sum(), (~whole).sum())
    groups = len(set(whole.tolist()))
    found: NDArray[np.float64] = 1.0 / (groups * counts)
    return found
