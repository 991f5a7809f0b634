"""The forms in which the results of jobs are written."""

from collections.abc import Sequence
from typing import Any

from app.api.schemas.prediction import FoundRegionBody, PredictionBody
from app.jobs import Forms
from app.pipeline import DefectRegion
from app.service import Judged, Timings
from app.service.pictures import Extras


def _result(judged: Judged, timings: Timings) -> bytes:
    body = PredictionBody.of(judged, timings, Extras(None, None, None))
    return body.model_dump_json(exclude_none=True).encode()


def _regions(regions: Sequence[DefectRegion]) -> list[Any]:
    return [FoundRegionBody.of(region).model_dump(mode="json", exclude_none=True) for region in regions]


JOB_FORMS = Forms(_result, _regions)
