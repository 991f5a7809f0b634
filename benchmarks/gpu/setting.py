"""The values that all steps share: the device, the scale, models, pictures and results."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import torch
from torch import Tensor

from app.artifacts import Artifact, Entry, ModelRepository, load_artifact
from app.runtime import Precision, RunOptions
from app.runtime.hardware import fast_precision
from app.tiling import Size
from benchmarks.gpu.results import Results
from benchmarks.gpu.scale import Scale
from scripts.demo.surface import normal_surface


@dataclass(frozen=True, slots=True)
class Setting:
    """The setting of one step.

    scale: the sizes of the measurements
    device: the measured device
    work: the folder in which steps share models
    results: receives the figures of the step
    """

    scale: Scale
    device: torch.device
    work: Path
    results: Results

    @property
    def half(self) -> Precision:
        """The fast precision of the device; float32 if it has none."""
        return fast_precision(self.device) or Precision.float32

    def repository(self, name: str) -> ModelRepository:
        """A repository with only the model of this name, so that a measured server loads no other model."""
        return ModelRepository(self.work / name / "models")

    def entry(self, name: str) -> Entry:
        """Version 1 of the model of this name."""
        return self.repository(name).find(name, 1)

    def load(self, name: str, precision: Precision, *, measured: bool = True) -> Artifact:
        """The model of this name on the device. Its weights are kept, so that its network can be built in other ways.

        With `measured`, loading measures the best batch size.
        """
        options = RunOptions(precision=precision, batch_tiles=0 if measured else None, time_stages=True)
        return load_artifact(self.entry(name), self.device, options)

    def synchronise(self) -> None:
        """Waits until the device has finished its work."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def seconds(self, run: Callable[[], object], at_least_s: float | None = None) -> float:
        """The mean seconds of a run, over runs that fill `at_least_s` (default: the scale's), after a warm-up run."""
        run()
        self.synchronise()
        started, runs = perf_counter(), 0
        while runs == 0 or perf_counter() - started < (at_least_s or self.scale.seconds):
            run()
            self.synchronise()
            runs += 1
        return (perf_counter() - started) / runs

    def in_turn(self, runs: dict[str, Callable[[], object]], at_least_s: float | None = None) -> dict[str, float]:
        """The seconds of each run, measured in turn: medians of the scale's rounds."""
        found: dict[str, list[float]] = {name: [] for name in runs}
        for _ in range(self.scale.rounds):
            for name, run in runs.items():
                found[name].append(self.seconds(run, at_least_s))
        return {name: median(each) for name, each in found.items()}


def pictures(count: int, size: Size, first_seed: int = 0) -> list[Tensor]:
    """Drawn surfaces, [3,H,W] uint8, repeated from parts of at most 1024 x 1024 pixels."""
    part = min(size[0], 1024), min(size[1], 1024)
    repeats = size[0] // part[0], size[1] // part[1], 1
    drawn = (
        np.tile(normal_surface(np.random.default_rng(seed), part), repeats)
        for seed in range(first_seed, first_seed + count)
    )
    return [torch.from_numpy(each).permute(2, 0, 1).contiguous() for each in drawn]
