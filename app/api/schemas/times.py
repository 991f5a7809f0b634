"""Times in bodies."""

from typing import Annotated

from pydantic import WithJsonSchema

UtcTime = Annotated[str, WithJsonSchema({"type": "string", "format": "date-time"})]
"""A time in UTC as text (RFC 3339). Generated clients read it as a time."""
