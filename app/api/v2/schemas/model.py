"""The bodies that describe a model."""

from typing import Self

from pydantic import BaseModel, Field

from app.api.v2.outputs import OUTPUTS
from app.api.v2.request import INPUT
from app.artifacts import Description
from app.service import ServedModel


class ModelReadyBody(BaseModel):
    """Readiness of a model or a version."""

    name: str = Field(description="Name of the model.", examples=["demo"])
    ready: bool = Field(description="Always true: a model that is not ready gives an error.", examples=[True])


class TensorMetadataBody(BaseModel):
    """An input or output of a model."""

    name: str = Field(description="Name of the input or output.", examples=["score"])
    datatype: str = Field(description="Type of the elements.", examples=["FP32"])
    shape: list[int] = Field(description="Size of each axis; -1 stands for any size.", examples=[[-1]])


class ModelMetadataBody(BaseModel):
    """The inputs and outputs of a model."""

    name: str = Field(
        description="Name of the model; if the request names `default`, the name of the model that this means.",
        examples=["demo"],
    )
    versions: list[str] = Field(description="Versions that are served, the oldest first.", examples=[["1"]])
    live: str | None = Field(
        description="Version that answers requests without a version; null if there is none.", examples=["1"]
    )
    platform: str = Field(description="`tessera_` and the name of the detector.", examples=["tessera_patchcore"])
    inputs: list[TensorMetadataBody] = Field(
        description="One input, `image`: the files of pictures. Tensors of UINT8, UINT16 or FP32 are accepted instead: "
        "see the inference operation."
    )
    outputs: list[TensorMetadataBody] = Field(description="Outputs that a request may name.")

    @classmethod
    def of(cls, model: ServedModel, description: Description) -> Self:
        return cls(
            name=model.name,
            versions=[str(each.entry.version) for each in model.versions if each.description is not None],
            live=None if model.live is None else str(model.live),
            platform=f"tessera_{description.manifest.detector.name}",
            inputs=[TensorMetadataBody(name=INPUT, datatype="BYTES", shape=[-1])],
            outputs=[
                TensorMetadataBody(name=name, datatype=output.datatype, shape=[-1] * output.rank)
                for name, output in OUTPUTS.items()
            ],
        )
