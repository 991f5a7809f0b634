"""Reads the pictures of lessons, and leaves out those that cannot be used."""

from collections.abc import Iterable, Iterator

from torch import Tensor

from app.artifacts import Manifest
from app.errors import TesseraError
from app.shown import printable
from app.teaching.learning.lessons import Lesson


class LessonReader:
    """Reads lessons, each when its turn comes.

    Pictures that were left out once stay left out.
    """

    def __init__(self, manifest: Manifest, fixed_size: bool) -> None:
        known = manifest.provenance.picture_sizes
        self._sizes = known if fixed_size else ()
        self._left_out: dict[str, str] = {}  # by digests

    @property
    def left_out(self) -> list[str]:
        """A sentence for each picture that was left out so far."""
        return list(self._left_out.values())

    def used(self, lessons: Iterable[Lesson]) -> list[Lesson]:
        """The lessons that were not left out so far."""
        return [each for each in lessons if each.picture.digest not in self._left_out]

    def read(self, lessons: Iterable[Lesson]) -> Iterator[tuple[Lesson, Tensor]]:
        """Yields the lessons that can be used, with their pictures [C,H,W]."""
        for lesson in lessons:
            if lesson.picture.digest in self._left_out:
                continue
            try:
                image = lesson.picture.read()
            except (TesseraError, OSError) as error:
                self._leave_out(lesson, f"which cannot be read: {error}")
                continue
            height, width = image.shape[-2:]
            if self._sizes and (height, width) not in self._sizes:
                known = ", ".join(f"{w} x {h}" for h, w in self._sizes)
                self._leave_out(
                    lesson, f"with {width} x {height} pixels: the model knows each place of pictures with {known}"
                )
                continue
            yield lesson, image

    def _leave_out(self, lesson: Lesson, reason: str) -> None:
        self._left_out[lesson.picture.digest] = f"left out: {printable(lesson.picture.name)}, {reason}"
