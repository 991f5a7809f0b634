"""The parts of the protocol's paths."""

from typing import Annotated

from fastapi import Path

VersionInPath = Annotated[int, Path(ge=1, description="A version of the model.", examples=[1])]
