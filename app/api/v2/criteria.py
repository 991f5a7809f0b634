"""What counts as anomalous, where a request says it."""

from pydantic import ValidationError

from app.api.options import CriteriaQuery
from app.api.v2.invalid import invalid
from app.api.v2.schemas.inference import Parameters
from app.pipeline import Criteria

_NAMES = ("threshold", "min_region_area")


def read_criteria(parameters: Parameters) -> Criteria:
    """What the parameters `threshold` and `min_region_area` mean, as on /v1; raises HTTPException."""
    given = {name: parameters[name] for name in _NAMES if name in parameters}
    try:
        return CriteriaQuery.model_validate(given, strict=True).criteria()
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise invalid(f"parameter {first['loc'][0]}: {first['msg']}") from error
