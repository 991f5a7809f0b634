"""What an evaluation took from the masks of the anomalous pictures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from app.evaluation.result import PictureResult

LARGE_SHARE = 0.5
"""The share of a picture that its mask must exceed to be noted: such a mask may be inverted."""

NAMED = 3
"""The largest number of pictures that a note names."""


@dataclass(frozen=True, slots=True)
class MasksTaken:
    """The masks of the anomalous pictures.

    files: the number of masks
    lossy: of these, lossy files, cut at half of their highest value
    soft: of these, files with soft edges or traces of a lossy file, cut at half of their highest value
    resized: of these, masks of another size than their picture's
    empty: the names of the pictures whose mask has no pixel of a defect
    large: the names of the pictures of which the mask covers more than LARGE_SHARE
    missing: the names of the pictures without a mask
    """

    files: int
    lossy: int
    soft: int
    resized: int
    empty: tuple[str, ...]
    large: tuple[str, ...]
    missing: tuple[str, ...]

    @classmethod
    def of(cls, results: Sequence[PictureResult]) -> Self:
        """The masks of evaluated pictures."""
        anomalous = [result for result in results if result.anomalous]
        masked = [(result, result.mask) for result in anomalous if result.mask is not None]
        return cls(
            len(masked),
            sum(mask.lossy for _, mask in masked),
            sum(mask.soft for _, mask in masked),
            sum(mask.size != result.size for result, mask in masked),
            tuple(_name(result) for result, mask in masked if not mask.defect_pixels),
            tuple(
                _name(result)
                for result, mask in masked
                if mask.defect_pixels > LARGE_SHARE * result.size[0] * result.size[1]
            ),
            tuple(_name(result) for result in anomalous if result.mask is None),
        )

    @property
    def summary(self) -> str:
        """The number of masks, and how they were read, such as "41 masks, 3 of them lossy, cut at half"."""
        how = [f"{self.lossy} of them lossy"] if self.lossy else []
        how += [f"{self.soft} of them with soft edges"] if self.soft else []
        cut = f", {' and '.join(how)}, cut at half" if how else ""
        return f"{self.files} mask{'s' * (self.files != 1)}{cut}"

    @property
    def notes(self) -> list[str]:
        """Sentences about pictures without a usable mask, and about masks that may be wrong."""
        total, notes = self.files + len(self.missing), []
        if total and len(self.missing) == total:
            notes.append("No picture has a mask of its defects: metrics of pixels are missing.")
        elif self.missing:
            notes.append(
                f"{len(self.missing)} of {total} anomalous pictures have no mask ({_listed(self.missing)}); the "
                "metrics of pixels leave them out."
            )
        if self.empty:
            notes.append(
                f"{len(self.empty)} of {self.files} masks of anomalous pictures have no pixel of a defect "
                f"({_listed(self.empty)}); the metrics of pixels leave these pictures out."
            )
        if self.large:
            notes.append(
                f"{len(self.large)} of {self.files} masks cover more than half of their pictures "
                f"({_listed(self.large)}). If they are inverted, invert them: defects are white on black."
            )
        if self.resized:
            notes.append(
                f"{self.resized} masks had another size than their pictures and were resized by nearest pixels."
            )
        return notes


def _name(result: PictureResult) -> str:
    return f"{result.kind}/{result.path.name}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (f" and {len(names) - NAMED} more" if len(names) > NAMED else "")
