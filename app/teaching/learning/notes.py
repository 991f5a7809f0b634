"""Sentences about what was learned, what it does, and what was left out."""

from collections.abc import Sequence

from app.artifacts import Artifact
from app.shown import listed
from app.teaching.learning.state import LearnedState
from app.teaching.learning.thresholds import Thresholds


def teaching_notes(
    base: Artifact, state: LearnedState, thresholds: Thresholds, defects: int, left_out: Sequence[str]
) -> tuple[str, ...]:
    """Sentences about what was learned, what it does, and what was left out."""
    found = [
        f"taught from version {base.version}: {len(state.pictures)} harmless pictures, all or in part, with "
        f"{state.patches:,} patches; {defects} pictures with confirmed defects"
    ]
    before, after = base.model.detector.normal_patches, state.model.detector.normal_patches
    if before is not None and after is not None:
        found.append(f"the memory bank has {len(after):,} rows, {len(after) - len(before):,} of them new")
    found.extend(state.notes)
    alarms, rate = thresholds.alarms, f"{100 * thresholds.rate:.3g}%"
    found.append(
        f"{alarms.exceeded} of {alarms.pictures} normal pictures are over the new threshold, each by a model that had "
        f"not learned it; {alarms.caution}"
    )
    if thresholds.lowered:
        found.append(
            f"the threshold is lower than normal pictures alone would set it, to find confirmed defects; at most "
            f"{rate} of the normal pictures exceed it"
        )
    if thresholds.missed:
        found.append(
            f"not found: {listed(thresholds.missed)}; a threshold that finds them would exceed {rate} false alarms"
        )
    hidden = [name for name in thresholds.unmarked if name not in thresholds.missed]
    if hidden:
        found.append(f"found, but not every defect of them is marked by a region: {listed(hidden)}")
    return (*found, *left_out)
