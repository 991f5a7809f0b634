"""The path parameters of the protocol's routes."""

from typing import Annotated

from fastapi import Path

VersionInPath = Annotated[int, Path(ge=1, description="Version of the model.", examples=[1])]
