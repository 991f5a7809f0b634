"""The body of the reason why a version is refused."""

from typing import Self

from pydantic import BaseModel, Field

from app.api.problem_codes import RefusalCode
from app.errors import TesseraError


class ErrorBody(BaseModel):
    """The reason why the files of a version are refused."""

    code: RefusalCode = Field(description="The reason as a code.", examples=["digest_mismatch"])
    message: str = Field(
        description="The reason as a sentence.",
        examples=["weights.safetensors is not the file that was written: its SHA-256 differs from the manifest's"],
    )

    @classmethod
    def of(cls, error: TesseraError) -> Self:
        """The body of an error."""
        known = error.code in list(RefusalCode)
        return cls(code=RefusalCode(error.code) if known else RefusalCode.INVALID_ARTIFACT, message=str(error))
