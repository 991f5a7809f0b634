"""What reviewed pictures can teach."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from app.reviews import ReviewedPicture, ReviewLabel
from app.shown import listed


@dataclass(frozen=True, slots=True)
class Lesson:
    """A reviewed picture that teaches something.

    learned: whether patches of it join the normal state: it is harmless, or has a harmless region
    """

    picture: ReviewedPicture
    learned: bool

    @property
    def normal(self) -> bool:
        """Whether all of it is harmless, so that the thresholds should let it pass."""
        return self.picture.label is ReviewLabel.harmless

    @property
    def defect(self) -> bool:
        """Whether it has a confirmed defect, which should be found."""
        return self.picture.label is ReviewLabel.defect


@dataclass(frozen=True, slots=True)
class Lessons:
    """The lessons, sorted by digest, so that the order in which pictures were reviewed has no effect.

    unsure: the number of pictures that teach nothing, because nobody was sure
    known: the names of harmless pictures that were trained on, so that they teach nothing new
    """

    taken: tuple[Lesson, ...]
    unsure: int
    known: tuple[str, ...]

    def notes(self) -> list[str]:
        """Sentences about the pictures that teach nothing."""
        found = []
        if self.unsure:
            found.append(f"left out: {self.unsure} of which the review is unsure")
        if self.known:
            found.append(f"left out: {listed(self.known)}, on which the model was trained")
        return found


def lessons_of(reviewed: Iterable[ReviewedPicture], fitted: Collection[str]) -> Lessons:
    """The lessons of reviewed pictures. `fitted` has the digests of the pictures that the base was fitted to.

    Of several reviews of one file, the last one counts.
    """
    taken, unsure, known = [], 0, []
    newest = {each.digest: each for each in reviewed}
    for _, each in sorted(newest.items()):
        harmless = any(region.label is ReviewLabel.harmless for region in each.regions)
        learned = harmless or (each.label is ReviewLabel.harmless and not each.regions)
        if each.label is ReviewLabel.harmless and each.digest in fitted:
            known.append(each.name)
        elif learned or each.label is not ReviewLabel.unsure:
            taken.append(Lesson(each, learned))
        else:
            unsure += 1
    taken.sort(key=lambda lesson: not lesson.learned)  # stable: those that are learned come first
    return Lessons(tuple(taken), unsure, tuple(known))
