"""Recognises pictures that the model was fitted to or calibrated on, by the digests of their files.

Figures on such pictures are better than on new ones. A picture that was saved anew has another digest, and is not
recognised.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from app.artifacts import DigestRecord, Manifest
from app.data import LabelledPicture, read_digests
from app.errors import InvalidDataset

SeenPictures = Literal["exclude", "keep"]
Use = Literal["fitted", "calibrated"]
NONE = DigestRecord.of(())


@dataclass(frozen=True, slots=True)
class Selection:
    """The pictures of a dataset that an evaluation uses.

    pictures: the pictures to evaluate on
    excluded: the pictures that are left out, because the model, or the one that it is compared with, has seen them
    uses: how the training used the pictures that the model has seen; fitted, if it was fitted to them and calibrated
    missing: the share of the training's digests that the manifest does not record, because there are too many
    """

    pictures: tuple[LabelledPicture, ...]
    excluded: tuple[LabelledPicture, ...] = ()
    uses: Mapping[Path, Use] = field(default_factory=dict)
    missing: float = 0.0

    @property
    def kept(self) -> int:
        """The number of pictures to evaluate on that the model has seen."""
        return sum(picture.path in self.uses for picture in self.pictures)

    @property
    def warning(self) -> str | None:
        """A warning about the pictures to evaluate on that the model has seen; None: there are none."""
        if not self.kept:
            return None
        return (
            f"{self._counts(self.pictures)} of these {len(self.pictures)} pictures: figures are better than they will "
            "be on new pictures."
        )

    @property
    def notes(self) -> list[str]:
        """Sentences about pictures that were left out, and about digests that are missing."""
        found = []
        if self.excluded:
            found.append(
                f"{len(self.excluded)} of {len(self.pictures) + len(self.excluded)} pictures are left out, because "
                f"figures on them would be too good. {self._seen_of_them}."
            )
        if self.uses and self.missing:
            found.append(
                f"The model has seen more pictures than it records: it does not recognise about {self.missing:.0%} of "
                "them, so that probably more of these pictures are known to it. Evaluate on other pictures."
            )
        return found

    @property
    def _seen_of_them(self) -> str:
        """Why pictures were left out. In a comparison, it may be for the other model alone."""
        if any(picture.path in self.uses for picture in self.excluded):
            return f"{self._counts(self.excluded)} of them"
        return "Only the other model has seen them"

    def _counts(self, pictures: Sequence[LabelledPicture]) -> str:
        used = [self.uses.get(picture.path) for picture in pictures]
        fitted, calibrated = used.count("fitted"), used.count("calibrated")
        words = [f"fitted to {fitted}"] if fitted else []
        words += [f"calibrated on {calibrated}"] if calibrated else []
        return f"The model was {' and '.join(words)}"


def select_unseen(
    pictures: Sequence[LabelledPicture], manifest: Manifest, action: SeenPictures = "exclude"
) -> Selection:
    """The pictures without those that the model was fitted to or calibrated on; with `keep`, all of them.

    The calibration `reference` stands for measuring on the pictures that set the thresholds, as the reference library
    does: `exclude` keeps those. Without digests no picture is recognised. Raises InvalidDataset if no picture is left.
    """
    if manifest.seen is None:
        return Selection(tuple(pictures))
    fitted, calibrated = manifest.seen.fitted or NONE, manifest.seen.calibrated
    used: dict[str, Use] = {}
    used.update(dict.fromkeys(calibrated.digests, "calibrated"))
    used.update(dict.fromkeys(fitted.digests, "fitted"))
    uses = {
        path: used[digest]
        for path, digest in read_digests(picture.path for picture in pictures).items()
        if digest in used
    }
    allowed: set[Use | None] = {None}
    if action == "keep":
        allowed = {None, "fitted", "calibrated"}
    elif manifest.calibration.protocol == "reference":
        allowed.add("calibrated")
    left = tuple(picture for picture in pictures if uses.get(picture.path) in allowed)
    excluded = tuple(picture for picture in pictures if uses.get(picture.path) not in allowed)
    if pictures and not left:
        raise InvalidDataset(
            f"the model was fitted to or calibrated on all of the {len(pictures)} pictures to evaluate on; evaluate on "
            "others, or keep these (--seen_pictures keep), on which figures are too good"
        )
    return Selection(left, excluded, uses, max(map(_missing, (fitted, calibrated))))


def select_unseen_by_both(
    pictures: Sequence[LabelledPicture], manifests: tuple[Manifest, Manifest], action: SeenPictures = "exclude"
) -> tuple[Selection, Selection]:
    """The same pictures for two models, without those that `select_unseen` leaves out for either.

    Raises InvalidDataset if no picture is left.
    """
    first, second = (select_unseen(pictures, manifest, action) for manifest in manifests)
    allowed = {picture.path for picture in first.pictures} & {picture.path for picture in second.pictures}
    left = tuple(picture for picture in pictures if picture.path in allowed)
    excluded = tuple(picture for picture in pictures if picture.path not in allowed)
    if pictures and not left:
        raise InvalidDataset(
            f"at least one of the models was fitted to or calibrated on each of the {len(pictures)} pictures to "
            "evaluate on; evaluate on others, or keep these (--seen_pictures keep), on which figures are too good"
        )
    return replace(first, pictures=left, excluded=excluded), replace(second, pictures=left, excluded=excluded)


def _missing(record: DigestRecord) -> float:
    """The share of the pictures whose digests are not recorded."""
    return 1 - len(record.digests) / record.pictures if record.pictures else 0.0
