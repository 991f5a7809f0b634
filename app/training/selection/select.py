"""Chooses a detector: divides the pictures, tries all candidates, and compares them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from torch import Generator, Tensor

from app.artifacts import CandidateRecord
from app.data import PictureFile, UnreadablePolicy, decoded, spread
from app.detectors import Detector, Fusion, OnePassDetector, Patchcore
from app.errors import InvalidTraining, TesseraError
from app.progress import Progress
from app.tiling import Tiling, plan
from app.training.monitor import timed
from app.training.plan import Job, Recipe, plan_training
from app.training.selection.candidates import Candidate, by_preference
from app.training.selection.comparison import compare, telling
from app.training.selection.expected import Work, expect
from app.training.selection.framing import against_thumbnail
from app.training.selection.sharing import Made, shared, state_key
from app.training.selection.trial import Trial
from app.training.time_left import TimeLeft

LEAST_PICTURES = 4
MOST_BANK_ROWS = 5000
"""The limit on the chosen detector's memory bank. Without it the coreset of many large pictures would take hours."""
MOST_FITTED, MOST_MEASURED = 32, 16
MEASURED_SHARE = 0.25
TILES_OF_WINDOW = 4  # along each edge
MOST_TILES = TILES_OF_WINDOW**2  # of a picture; of larger pictures, windows with so many tiles are used


@dataclass(frozen=True, slots=True)
class Selection:
    """The outcome of a choice.

    candidate, detector: the candidate that was chosen, and a new unfitted detector of it
    tried: all candidates that were compared
    left_out: those that were not, with the reasons
    against_thumbnail: why thumbnails do not suit the pictures or the detector; None if they do
    fitted, measured: the numbers of pictures
    fit_s, measure_s: the seconds that fitting and measuring took
    """

    candidate: Candidate
    detector: OnePassDetector
    tried: tuple[CandidateRecord, ...]
    left_out: dict[str, str]
    against_thumbnail: str | None
    fitted: int
    measured: int
    fit_s: float
    measure_s: float


def select(
    candidates: Sequence[Candidate],
    recipe: Callable[[Detector], Recipe],
    device: torch.device,
    seed: int,
    progress: Progress,
    thumbnail: bool = True,
) -> Selection:
    """Chooses among candidates for the training that `recipe` makes of a detector.

    `thumbnail`: whether the model may get thumbnails.

    Uses only pictures that all trainings would fit to, and no thumbnails, which show little of the defects. The choice
    depends on the data and on the seed alone. Raises
    InvalidTraining if there are too few pictures, and the first candidate's error if none can be trained.
    """
    planned, left_out = _planned(candidates, recipe, device, seed)
    tiling = replace(recipe(planned[0][0].detector).tiling, thumbnail=False)

    def against(detector: Detector, job: Job) -> str | None:
        return against_thumbnail(detector, tiling, job) if thumbnail else "model.thumbnail is false"

    suitable = any(against(made.detector, job) is None for made, job in planned)
    order = [candidate.name for candidate in by_preference(candidates, suitable)]
    planned.sort(key=lambda each: order.index(each[0].candidate.name))
    job = planned[0][1]
    paths = [path for path in job.fit if all(path in other.fit for _, other in planned)]
    if len(paths) < LEAST_PICTURES:
        raise InvalidTraining(
            f"auto needs at least {LEAST_PICTURES} pictures to fit to, and there are {len(paths)}; name a detector, "
            "such as --model Subspace"
        )
    fit, held_out = spread(paths, min(MOST_MEASURED, max(2, round(len(paths) * MEASURED_SHARE))))
    if len(fit) > MOST_FITTED:
        _, fit = spread(fit, MOST_FITTED)
    workers, generator = recipe(planned[0][0].detector).data.num_workers, torch.Generator().manual_seed(seed)

    def windows(pictures: Sequence[Path]) -> Iterator[Tensor]:
        # The training itself reports pictures that cannot be read.
        for picture in decoded(pictures, workers, UnreadablePolicy("skip")):
            yield window(picture, tiling, generator) if job.preprocessing.image_size is None else picture

    trial = Trial(shared([made for made, _ in planned], tiling, device), job.batch_tiles, seed)
    left = TimeLeft.of(progress)
    first = bounded(_made(planned[0][0].candidate, seed), job, len(job.fit))
    ahead = Work(len(held_out), replace(planned[0][0], detector=first), job, recipe(first).assess)

    def added(picture: Tensor) -> None:
        if not left.is_announced and left.pace_s is not None:
            left.leave_out(timed(lambda: expect(left, trial, picture, ahead)))

    torch.manual_seed(seed)  # the start of a coreset is random
    trial.fit(windows(fit), len(fit), left, added)
    trial.measure(windows(held_out), len(held_out), left)
    results, tested = trial.results()
    results.sort(key=lambda result: order.index(result[0].name))
    by_scores = [scores for _, scores, _ in results]
    told = telling(by_scores, tested)
    compared = compare([scores[told] for scores in by_scores], tested.of(told), seed)
    by_pixels = compare([pixels for _, _, pixels in results], tested, seed).means
    tried = tuple(
        CandidateRecord(
            name=candidate.name,
            auroc=compared.means[number],
            pixel_auroc=by_pixels[number],
            error=compared.errors[number],
            chosen=number == compared.chosen,
        )
        for number, (candidate, _, _) in enumerate(results)
    )
    winner = results[compared.chosen][0]
    own = next(job for made, job in planned if made.candidate == winner)
    detector = bounded(_made(winner, seed), own, len(own.fit))
    return Selection(
        winner,
        detector,
        tried,
        left_out,
        against(detector, own),
        len(fit),
        len(held_out),
        trial.fit_s,
        trial.measure_s,
    )


def bounded(detector: OnePassDetector, job: Job, pictures: int) -> OnePassDetector:
    """The detector with a memory bank of at most MOST_BANK_ROWS patches, if it has one.

    `pictures`: the number of pictures that set the size of the bank; with more than the job has, the bank is as large
    as that of a training with so many.
    """
    members = detector.combined.values() if isinstance(detector, Fusion) else [detector]
    for member in members:
        if isinstance(member, Patchcore):
            cells = job.grid[0] * job.grid[1]
            rows = min(member.coreset_sampling_ratio * pictures * cells, MOST_BANK_ROWS)
            member.coreset_sampling_ratio = min(rows / (len(job.fit) * cells), 1.0)
    return detector


def window(picture: Tensor, tiling: Tiling, generator: Generator) -> Tensor:
    """A picture [C,H,W], or a random part of it if it has more than MOST_TILES tiles."""
    height, width = picture.shape[-2:]
    if not tiling.enable or plan(tiling, height, width, 1).count <= MOST_TILES:
        return picture
    edges = (tile + (TILES_OF_WINDOW - 1) * step for tile, step in zip(tiling.tile_size, tiling.stride, strict=True))
    rows, columns = (min(edge, length) for edge, length in zip(edges, (height, width), strict=True))
    top, left = (int(torch.randint(room + 1, (), generator=generator)) for room in (height - rows, width - columns))
    return picture[:, top : top + rows, left : left + columns].contiguous()


def _planned(
    candidates: Sequence[Candidate], recipe: Callable[[Detector], Recipe], device: torch.device, seed: int
) -> tuple[list[tuple[Made, Job]], dict[str, str]]:
    """The candidates that can be trained, with the plans of their trainings; the reasons against the others, by name.

    Raises the first candidate's error if there is none.
    """
    planned: list[tuple[Made, Job]] = []
    left_out: dict[str, str] = {}
    errors: list[TesseraError] = []
    jobs: dict[object, Job] = {}
    files: dict[Path, PictureFile] = {}
    for candidate in candidates:
        try:
            detector = _made(candidate, seed)
            key = state_key(detector)  # the plan does not depend on how pictures are scored
            jobs[key] = job = jobs.get(key) or plan_training(recipe(detector), device, files)
            if (
                detector.image_size_is_fixed
                and job.preprocessing.image_size is not None
                and _is_large(job, recipe(detector))
            ):
                left_out[candidate.name] = f"knows positions, and the pictures have more than {MOST_TILES} tiles"
                continue
            planned.append((Made(candidate, detector, job.preprocessing, job.grid), job))
        except TesseraError as error:
            left_out[candidate.name] = str(error)
            errors.append(error)
    if not planned:
        raise errors[0] if errors else InvalidTraining("no candidate can be tried; name a detector")
    return planned, left_out


def _is_large(job: Job, recipe: Recipe) -> bool:
    """Whether windows of the pictures would be used, which have no fixed positions."""
    return recipe.data.image_size is None and any(
        plan(recipe.tiling, *size, 1).count > MOST_TILES for size in job.picture_sizes
    )


def _made(candidate: Candidate, seed: int) -> OnePassDetector:
    torch.manual_seed(seed)  # some detectors draw channels or weights
    return candidate.make()
