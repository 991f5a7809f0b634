"""What counts as anomalous, and which part of a picture is looked at, where a request says it."""

from collections.abc import Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from app.api.options import CriteriaQuery, RegionQuery
from app.api.v2.invalid import invalid
from app.api.v2.schemas.inference import Parameters
from app.pipeline import Criteria, Roi

Q = TypeVar("Q", bound=BaseModel)


def read_criteria(parameters: Parameters) -> Criteria:
    """What the parameters `threshold` and `min_region_area` mean, as on /v1; raises HTTPException."""
    return _read(CriteriaQuery, parameters, ("threshold", "min_region_area"), strict=True).criteria()


def read_region(parameters: Parameters) -> Roi | None:
    """What the parameter `roi` means, as on /v1: a text, since the protocol knows no lists there, or four numbers."""
    return _read(RegionQuery, parameters, ("roi",), strict=False).region()


def _read(query: type[Q], parameters: Parameters, names: Sequence[str], *, strict: bool) -> Q:
    given = {name: parameters[name] for name in names if name in parameters}
    try:
        return query.model_validate(given, strict=strict)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise invalid(f"parameter {first['loc'][0]}: {first['msg']}") from error
