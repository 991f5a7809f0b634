"""One trial: trains a configuration on few pictures, and measures how fast it is and what it finds."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic

import torch

from app.artifacts import Artifact, Entry, ModelRepository, load_artifact
from app.data import DataModule, UnreadablePolicy, decoded
from app.detectors import OnePassDetector
from app.evaluation.certificate import MarkedPictures, Plan, certify
from app.files import unfinished_directory
from app.model_search.configurations import Configuration
from app.model_search.pictures import PartOf, SearchPictures
from app.model_search.result import Result
from app.model_search.wish import Wish
from app.progress import Progress, silent
from app.runtime import PrecisionChoice, RunOptions
from app.sizing import BUSY_SHARE, Demand, Figures, FileFormat, highest_rate, measure, resident_bytes, work_of
from app.training import Automatic, Job, Recipe, plan_training, train
from app.training.selection import bounded

FIT, MARKED, MARKS = 8, 4, 15
"""The pictures to fit to, those to draw marks into, and the marks of the first round; each round doubles them."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where and how models run.

    processors, lanes: the processors that compute, and the pictures that a server computes at the same time
    """

    device: torch.device
    precision: PrecisionChoice
    processors: int
    lanes: int

    def load_measured(self, entry: Entry) -> tuple[Artifact, Figures]:
        """Loads a version as a server does, and measures it."""
        options = RunOptions(self.precision, batch_tiles=0, keep_weights=False, lanes=self.lanes)
        return measure(lambda: load_artifact(entry, self.device, options), self.processors, resident_bytes())

    def pictures_per_s(self, artifact: Artifact, figures: Figures, pictures: SearchPictures) -> float:
        """The pictures in a second of the largest size, with short queues, as `tessera estimate` counts them."""
        names = {path.suffix.lower() for path in pictures.marked}
        kind = FileFormat.jpeg if names <= {".jpg", ".jpeg"} else FileFormat.png
        work = work_of(artifact.model, figures, Demand(pictures.size, 1.0, kind))
        units = self.processors if work.on_cpu else torch.cuda.device_count()
        return BUSY_SHARE * highest_rate(work, units)


@dataclass(frozen=True, slots=True)
class Trials:
    """What all trials of a search share.

    calibration: how thresholds are set
    folder: where models are trained, each in a hidden folder that is removed after the trial
    """

    data: DataModule
    pictures: SearchPictures
    wish: Wish
    machine: Machine
    calibration: Automatic
    seed: int
    folder: Path

    def recipe(self, configuration: Configuration, pictures: SearchPictures, num_workers: int) -> Recipe:
        """The training of a configuration on these pictures. Raises InvalidDataset, see SearchPictures.scaled."""
        torch.manual_seed(self.seed)  # some detectors draw channels
        detector = configuration.candidate.make()
        image_size = self.pictures.scaled(self.data.image_size, configuration.scale)
        data = PartOf(self.data, pictures.fit, num_workers, image_size)
        return Recipe(detector, data, configuration.tiling, self.calibration, self.seed)

    def plan(self, recipe: Recipe) -> Job:
        """The plan of a training. Its memory bank is bounded, and as large as with all pictures. See plan_training."""
        job = plan_training(recipe, self.machine.device)
        assert isinstance(recipe.detector, OnePassDetector)
        bounded(recipe.detector, job, len(self.pictures.fit))
        return job

    def result(
        self,
        configuration: Configuration,
        round: int,
        rate: float | None,
        progress: Progress = silent,
        clock: Callable[[], float] = monotonic,
    ) -> Result:
        """Trains and measures. `rate`: the pictures in a second if an earlier round has measured them.

        Raises subclasses of TesseraError.
        """
        started = clock()
        pictures = self.pictures.some(FIT << round, MARKED << round)
        with unfinished_directory(self.folder) as folder:
            entry = self._trained(configuration, pictures, ModelRepository(folder), progress)
            if rate is None:
                artifact, figures = self.machine.load_measured(entry)
                rate = self.machine.pictures_per_s(artifact, figures, self.pictures)
            else:
                artifact = load_artifact(entry, self.machine.device, RunOptions(self.machine.precision))
        marked = MarkedPictures(artifact.model, artifact.calibration)
        for image in decoded(list(pictures.marked), 0, UnreadablePolicy(self.data.on_unreadable)):
            marked.add(image)
            if marked.is_full:
                break
        plan = Plan((self.wish.contrast,), MARKS << round, seed=self.seed, kinds=(self.wish.kind,))
        found = certify(marked, plan, progress)
        (grade,) = found.grades
        return Result(
            configuration.name,
            round,
            len(pictures.fit),
            grade.record(),
            found.false_alarms,
            rate,
            clock() - started,
        )

    def _trained(
        self, configuration: Configuration, pictures: SearchPictures, repository: ModelRepository, progress: Progress
    ) -> Entry:
        recipe = replace(self.recipe(configuration, pictures, 0), resume=False, assess=False, copies_mib=0)
        return train(recipe, self.plan(recipe), repository, "trial", self.machine.device, progress)
