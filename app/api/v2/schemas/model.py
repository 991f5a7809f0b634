"""The bodies that tell of a model."""

from typing import Self

from pydantic import BaseModel, Field

from app.api.v2.outputs import OUTPUTS
from app.api.v2.pictures import INPUT
from app.artifacts import Artifact
from app.service import ServedModel


class ModelReadyBody(BaseModel):
    """The model answers."""

    name: str = Field(description="The model.", examples=["demo"])
    ready: bool = Field(description="Always true: else there is an error.", examples=[True])


class TensorMetadataBody(BaseModel):
    """An input or output of a model."""

    name: str = Field(description="Its name.", examples=["score"])
    datatype: str = Field(description="Of its elements.", examples=["FP32"])
    shape: list[int] = Field(description="Its sizes; -1 stands for any.", examples=[[-1]])


class ModelMetadataBody(BaseModel):
    """What a model takes and tells. `default` is answered with the name of the model that it means."""

    name: str = Field(description="The model.", examples=["demo"])
    versions: list[str] = Field(description="Those that are served, the oldest first.", examples=[["1"]])
    platform: str = Field(description="`tessera_` and its detector.", examples=["tessera_patchcore"])
    inputs: list[TensorMetadataBody] = Field(
        description="One, `image`: the bytes of pictures' files. In its place tensors of UINT8, UINT16 or FP32 are "
        "taken: see the inference operation."
    )
    outputs: list[TensorMetadataBody] = Field(description="What may be asked for.")

    @classmethod
    def of(cls, model: ServedModel, artifact: Artifact) -> Self:
        """The body of a version that is served."""
        return cls(
            name=model.name,
            versions=[str(each.entry.version) for each in model.versions if each.state == "ready"],
            platform=f"tessera_{artifact.manifest.detector.name}",
            inputs=[TensorMetadataBody(name=INPUT, datatype="BYTES", shape=[-1])],
            outputs=[
                TensorMetadataBody(name=name, datatype=output.datatype, shape=[-1] * output.rank)
                for name, output in OUTPUTS.items()
            ],
        )
