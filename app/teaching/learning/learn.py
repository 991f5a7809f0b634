"""Learns from reviewed pictures."""

from collections.abc import Iterable, Sequence
from time import perf_counter

import torch

from app.artifacts import Artifact, Entry, TaughtRecord
from app.detectors import GradientDetector
from app.errors import NothingToLearn
from app.progress import Progress, silent
from app.reviews import ReviewedPicture
from app.teaching.learning.base import read_base
from app.teaching.learning.evidence import joined
from app.teaching.learning.fine_tuning import FineTuning
from app.teaching.learning.learned import Learned
from app.teaching.learning.lessons import Lesson, lessons_of
from app.teaching.learning.measurements import Measurements
from app.teaching.learning.method import TeachingMethod
from app.teaching.learning.notes import teaching_notes
from app.teaching.learning.reading import LessonReader
from app.teaching.learning.state import LearnedState
from app.teaching.learning.thresholds import Thresholds, new_thresholds
from app.teaching.learning.updating import Updating
from app.training.fused import with_fused_network


def learn(
    base: Entry,
    reviewed: Iterable[ReviewedPicture],
    *,
    false_positive_rate: float | None = None,
    second_stage: bool = True,
    device: torch.device | str = "cpu",
    progress: Progress = silent,
) -> Learned:
    """A candidate that has learned from all reviewed pictures of a model, from its trained version.

    base: a version of the model; of one that was taught, its own base is taken, so that equal reviews make equal
        candidates, whatever was taught before and in whatever order the pictures were reviewed
    reviewed: the reviewed pictures of the model
    false_positive_rate: the rate of false alarms that the thresholds aim at, more than 0 and less than 1; None: that of
        the base
    second_stage: whether confirmed defects may make a second stage, see `choice`

    Nothing is written before `Learned.write`. Harmless pictures and regions join the normal state, confirmed defects
    never do, and both set the thresholds, see `thresholds`. Uses the calling thread, and torch's. Raises NotTeachable,
    NothingToLearn, NotFinite, and as `load_artifact`; what `progress` raises ends the work.
    """
    artifact = read_base(base, device)
    started = perf_counter()
    seen = artifact.manifest.seen
    lessons = lessons_of(reviewed, seen.fitted.digests if seen and seen.fitted else ())
    reader = LessonReader(artifact.manifest, artifact.model.detector.image_size_is_fixed)
    _require(base, lessons.taken, lessons.notes())
    measured = Measurements()
    with _method(artifact, reader, progress, second_stage) as method:
        state = method.learn(lessons.taken)
        for lesson, outcome in state.outcomes:
            measured.add(state.model, lesson, outcome)
    left_out, used = [*lessons.notes(), *reader.left_out], reader.used(lessons.taken)
    _require(base, used, left_out)
    thresholds = new_thresholds(
        artifact.manifest.calibration,
        measured.normal,
        measured.defects,
        false_positive_rate,
        base_counts=state.second_stage is None,
    )
    return Learned(
        base=artifact,
        model=state.model.with_calibration(thresholds.calibration),
        thresholds=thresholds,
        taught=_record(artifact, state, used, thresholds),
        notes=teaching_notes(artifact, state, thresholds, len(measured.defects), left_out),
        seconds=perf_counter() - started,
        pictures=state.pictures,
        evidence=joined(artifact.evidence, state.sources, state.pictures),
        camera=measured.camera(artifact),
        normal_level=measured.normal_level(artifact, alone=state.second_stage is not None),
    )


def _method(base: Artifact, reader: LessonReader, progress: Progress, second_stage: bool) -> TeachingMethod:
    """How this kind of detector is taught."""
    model = with_fused_network(base.model)
    if isinstance(model.detector, GradientDetector):
        return FineTuning(model, base.evidence, reader, progress)
    return Updating(model, reader, progress, second_stage=second_stage)


def _require(base: Entry, used: Sequence[Lesson], left_out: Sequence[str]) -> None:
    """Raises NothingToLearn unless there are lessons."""
    if not used:
        reasons = f" ({'; '.join(left_out)})" if left_out else ""
        raise NothingToLearn(
            f"no reviewed picture of {base.name!r} is harmless, has a harmless region, or has a defect{reasons}; "
            "review some first"
        )


def _record(artifact: Artifact, state: LearnedState, used: Sequence[Lesson], thresholds: Thresholds) -> TaughtRecord:
    return TaughtRecord(
        base=artifact.version,
        base_digest=artifact.digest,
        harmless=len(state.pictures),
        defects=sum(each.defect for each in used),
        patches=state.patches,
        missed=len(thresholds.missed),
        second_stage=state.second_stage,
        reviews=TaughtRecord.labels((each.picture.digest, each.picture.label) for each in used),
    )
