"""How results are written: in the forms of the API, which is above this package."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from app.pipeline import DefectRegion
from app.service import Judged, Timings


@dataclass(frozen=True, slots=True)
class Forms:
    """result: the prediction as JSON; regions: values for JSON of defect regions."""

    result: Callable[[Judged, Timings], bytes]
    regions: Callable[[Sequence[DefectRegion]], list[Any]]
