"""What a model is wanted to see, and how fast."""

import re
from dataclasses import dataclass
from math import inf

from app.errors import InvalidParameter
from app.evaluation.certificate import largest_size
from app.synthesis import MARK_KINDS

DEFAULT_KIND = "scratch"
EXAMPLES = "6px@10%, '0.3mm@10%' with pixels_per_mm, or 'pit 12px@30%'"
_WISH = re.compile(r"(?:([a-z][a-z ]*?)\s+)?(\d+(?:\.\d+)?)\s*(px|mm)\s*@\s*(\d+(?:\.\d+)?)\s*%")


@dataclass(frozen=True, slots=True)
class Wish:
    """Marks of this kind that have this size in pixels, or more, and this contrast are found with 95 % probability.

    contrast: the largest change of a pixel, as a share of its value
    rate: the pictures in a second; 0: any
    """

    kind: str
    size: float
    contrast: float
    rate: float = 0.0

    def __str__(self) -> str:
        speed = f", {self.rate:g} pictures a second" if self.rate else ""
        return f"{self.kind} from {self.size:.3g} px at {100 * self.contrast:.3g} % contrast{speed}"

    def require_room(self, shortest_edge: int) -> None:
        """Raises InvalidParameter if pictures with this shortest edge in pixels have no room for such a mark."""
        most = largest_size(self.kind, shortest_edge)
        if self.size > most:
            raise InvalidParameter(
                f"wish is a {self.kind} of {self.size:.3g} px, and the largest that is drawn into pictures whose "
                f"shorter edge has {shortest_edge} px has {most} px; wish for {most} px or less"
            )


def read_wish(text: str, rate: float, pixels_per_mm: float | None) -> Wish:
    """The wish of a text such as `6px@10%`, `0.3mm@10%` or `pit 12px@30%`; raises InvalidParameter.

    pixels_per_mm: the scale of the pictures, which sizes in mm need
    """
    if not 0 <= rate < inf:
        raise InvalidParameter(f"rate is {rate:g}; give the pictures in a second, or 0 for any speed")
    if pixels_per_mm is not None and not 0 < pixels_per_mm < inf:
        raise InvalidParameter(f"pixels_per_mm is {pixels_per_mm:g}; give the pixels in a millimetre, over 0")
    found = _WISH.fullmatch(text.strip())
    if found is None:
        raise InvalidParameter(f"wish is {text!r}; give a size and a contrast, such as {EXAMPLES}")
    kind, contrast = found[1] or DEFAULT_KIND, float(found[4]) / 100
    if kind not in MARK_KINDS:
        raise InvalidParameter(f"wish is about {kind!r}; the marks are {', '.join(MARK_KINDS)}")
    if not 0 < contrast <= 1:
        raise InvalidParameter(f"wish has a contrast of {found[4]} %; use more than 0 and at most 100")
    size = float(found[2])
    if found[3] == "mm":
        if pixels_per_mm is None:
            raise InvalidParameter(f"wish is {found[2]} mm, and the scale is not known; give pixels_per_mm")
        size *= pixels_per_mm
    least = MARK_KINDS[kind].least
    if size < least:
        raise InvalidParameter(
            f"wish is {size:.2g} px, and no {kind} is smaller than {least} px; wish for a larger one"
        )
    return Wish(kind, size, contrast, rate)
