"""A candidate with its proof, and how it becomes a version that does not serve yet."""

from dataclasses import dataclass

from app.artifacts import Entry, ModelRepository, load_artifact
from app.errors import TeachingConflict
from app.progress import Progress, silent
from app.store.kept import PictureStore
from app.teaching.candidates import pin_served
from app.teaching.learning import Learned, learn
from app.teaching.proof import Proof, ProofResult
from app.teaching.proof.pictures import known_pictures
from app.teaching.proof.prove import prove


@dataclass(frozen=True, slots=True)
class Taught:
    """A candidate in memory, with its proof.

    served, digest: the version that served when it was taught, and the SHA-256 of its manifest
    """

    served: Entry
    digest: str
    learned: Learned
    proof: Proof


def teach(
    repository: ModelRepository,
    name: str,
    store: PictureStore,
    *,
    device: str,
    most_lost: int = 0,
    false_positive_rate: float | None = None,
    second_stage: bool = True,
    progress: Progress = silent,
) -> Taught:
    """Teaches a model by its reviewed pictures, and proves the candidate beside the version that serves.

    `false_positive_rate` and `second_stage` are those of `learn`. Nothing is written. Raises what `learn` and `prove`
    raise, ModelNotFound, InvalidServing, and PicturesDatabaseUnavailable.
    """
    entry = repository.find(name)
    pictures = known_pictures(store, name)
    learned = learn(
        entry,
        [each.review for each in pictures if each.review is not None],
        false_positive_rate=false_positive_rate,
        second_stage=second_stage,
        device=device,
        progress=progress,
    )
    served = load_artifact(entry, device)
    alarms = learned.thresholds.alarms
    proof = prove(served, learned.model, pictures, held_out=alarms, most_lost=most_lost, progress=progress)
    return Taught(entry, served.digest, learned, proof)


def write_candidate(repository: ModelRepository, taught: Taught) -> Entry:
    """Writes a candidate that was not refused as a version, and returns it; it does not serve.

    The version that serves is pinned before. A kill leaves the version whole, or none. Raises TeachingConflict if
    the proof has refused the candidate, or if another version serves by now.
    """
    if taught.proof.result is ProofResult.refused:
        raise TeachingConflict(f"the candidate is refused: {'; '.join(taught.proof.reasons)}")
    pin_served(repository, taught.served.name, taught.served.version, taught.digest)
    return taught.learned.write(repository)
