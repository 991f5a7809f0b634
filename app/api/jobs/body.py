"""The body of a request that makes a job."""

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from app.api.schemas.job import JobRequestBody
from app.errors import TooManyBytes

MAX_BYTES = 2**20
"""The limit on the body. FastAPI itself would read up to `max_image_bytes` and parse them on the event loop."""

JOB_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/JobRequestBody"}}},
    }
}
"""`openapi_extra` of the route."""


async def _job_body(request: Request) -> JobRequestBody:
    text = bytearray()
    async for chunk in request.stream():
        text += chunk
        if len(text) > MAX_BYTES:
            raise TooManyBytes(f"the body has more than {MAX_BYTES:,} bytes; describe the job, and upload its pictures")
    try:
        return JobRequestBody.model_validate_json(bytes(text))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        raise RequestValidationError([{**each, "loc": ("body", *each["loc"])} for each in found]) from error


JobRequest = Annotated[JobRequestBody, Depends(_job_body)]
