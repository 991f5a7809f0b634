"""A device in virtual time that runs the units of a scheduler."""

from collections.abc import Callable
from dataclasses import dataclass, field

from app.scheduling.job import Batch, Job, Probe, Step, Unit
from app.scheduling.scheduler import Scheduler

TILE_S = 1.0
STEP_S = 0.25
STEPS = 3
"""The number of steps after the last tiles of a picture. One step comes first, and one after every other batch."""


def job(tiles: int, model: object = "model", limit: int = 4, shape: tuple[int, int] = (256, 256)) -> Job:
    return Job(model, shape, tiles, limit)


@dataclass
class Simulation:
    """One device. All times are in virtual seconds.

    cost: the time of a tile, by its job
    step_cost: the time of a step, by its job
    units: the units that ran, in order
    arrived: when each job arrived
    latency: the time from arrival to end of each job that has ended
    device_s: the time that the device spent on each job
    """

    scheduler: Scheduler = field(default_factory=Scheduler)
    cost: Callable[[Job], float] = lambda _: TILE_S
    step_cost: Callable[[Job], float] = lambda _: STEP_S
    now: float = 0.0
    units: list[Unit] = field(default_factory=list)
    arrived: dict[Job, float] = field(default_factory=dict)
    latency: dict[Job, float] = field(default_factory=dict)
    device_s: dict[Job, float] = field(default_factory=dict)
    _steps: dict[Job, int] = field(default_factory=dict)

    def arrive(self, *jobs: Job) -> None:
        for each in jobs:
            self.arrived[each], self._steps[each] = self.now, 1
            self.scheduler.add(each)

    def unit(self) -> bool:
        """Runs one unit; returns False if there is none."""
        unit = self.scheduler.next(0)
        if unit is None:
            return False
        self.units.append(unit)
        assert not isinstance(unit, Probe)
        if isinstance(unit, Batch):
            seconds = sum(self.cost(part.job) * len(part.indices) for part in unit.ranges)
        else:
            seconds = self.step_cost(unit.job)
        self.now += seconds
        for each, own_s in unit.time_of_jobs(seconds):
            self.device_s[each] = self.device_s.get(each, 0.0) + own_s
        for gone in self._done(unit, seconds):
            self.latency[gone] = self.now - self.arrived[gone]
        return True

    def _done(self, unit: Batch | Step, seconds: float) -> list[Job]:
        if isinstance(unit, Step):
            self._steps[unit.job] -= 1
            return self.scheduler.stepped(0, seconds, last=not self._steps[unit.job])
        for part in unit.ranges:
            self._steps[part.job] = STEPS if part.indices.stop == part.job.tiles else 1
        return self.scheduler.ran(0, seconds)

    def run(self) -> None:
        while self.unit():
            pass

    @property
    def batches(self) -> list[Batch]:
        return [unit for unit in self.units if isinstance(unit, Batch)]
