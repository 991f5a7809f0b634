"""The criteria and the region of interest of a request, from the protocol's parameters."""

from pydantic import ValidationError

from app.api.options import CriteriaQuery, RegionQuery
from app.api.v2.invalid import invalid
from app.api.v2.mistyped import refuse_mistyped
from app.api.v2.schemas.inference import Parameters
from app.pipeline import Question

CRITERIA = ("threshold", "min_region_area")
KNOWN = (*CRITERIA, "roi", "timeout", "binary_data_output", "sequence_id")
"""The parameters of a request that this server reads."""


def read_question(parameters: Parameters) -> Question:
    """The question that the parameters `threshold`, `min_region_area` and `roi` ask, as on /v1; raises HTTPException.

    `roi` is a string, because the protocol has no lists as parameters, or a list of four numbers.
    """
    refuse_mistyped(parameters, KNOWN)
    try:
        criteria = CriteriaQuery.model_validate(_given(parameters, *CRITERIA), strict=True).criteria()
        return Question(criteria, RegionQuery.model_validate(_given(parameters, "roi")).question().roi)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise invalid(f"parameter {first['loc'][0]}: {first['msg']}") from error


def _given(parameters: Parameters, *names: str) -> dict[str, object]:
    return {name: parameters[name] for name in names if name in parameters}
