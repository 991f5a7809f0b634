"""The bodies of an inference, without the binary data that may follow."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Parameters = dict[str, JsonValue]
Size = Annotated[int, Field(ge=0, strict=True)]

_EXAMPLE: dict[str, JsonValue] = {
    "id": "part-4711",
    "inputs": [{"name": "image", "shape": [1], "datatype": "BYTES", "data": ["iVBORw0KGgo="]}],
    "outputs": [{"name": "score"}, {"name": "label"}],
}


class InferInputBody(BaseModel):
    """The picture, or several."""

    name: str = Field(description="Always `image`.", examples=["image"])
    shape: list[Size] = Field(
        description="BYTES: [n] or [n,1]. Else [n,H,W,C] or [n,C,H,W], or without n for one picture; C is 1 or 3.",
        examples=[[1]],
    )
    datatype: str = Field(description="BYTES, UINT8, UINT16 or FP32.", examples=["BYTES"])
    parameters: Parameters = Field(
        default={},
        description="`binary_data_size`: the bytes of the tensor that follow the JSON. `layout`: NHWC, NCHW, HWC or "
        "CHW, needed where both the first and the last axis could be the channels. `white`: which value of FP32 is "
        "white, 1 by default. Others are ignored.",
        examples=[{}],
    )
    data: list[Any] | None = Field(  # numbers and texts, nested or not: validated with shape and datatype
        default=None,
        description="The elements in row-major order, flat or nested as in `shape`; those of BYTES in base64. Left "
        "out with `binary_data_size`.",
        examples=[["iVBORw0KGgo="]],
    )


class RequestedOutputBody(BaseModel):
    """An output that is asked for."""

    name: str = Field(description="One of those in the model's metadata.", examples=["score"])
    parameters: Parameters = Field(
        default={},
        description="`binary_data`: whether it is to follow the JSON as bytes. Others are ignored.",
        examples=[{"binary_data": False}],
    )


class InferRequestBody(BaseModel):
    """A request for inference."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str | None = Field(default=None, description="Comes back with the answer.", examples=["part-4711"])
    parameters: Parameters = Field(
        default={},
        description="`binary_data_output`: what `binary_data` is for outputs that do not say. `timeout`: how many "
        "microseconds the answer is waited for, as `X-Request-Timeout` says in seconds. `threshold` and "
        '`min_region_area`: as on /v1. `roi`: a region of interest as on /v1, such as "256,0,512,384". Others are '
        "ignored.",
        examples=[{"timeout": 2500000}],
    )
    inputs: list[InferInputBody] = Field(description="Exactly one.", min_length=1, max_length=1)
    outputs: list[RequestedOutputBody] | None = Field(
        default=None, description="By default `score`, `raw_score`, `label` and `threshold`.", max_length=64
    )


class InferOutputBody(BaseModel):
    """An output."""

    name: str = Field(description="Its name.", examples=["score"])
    datatype: str = Field(description="Of its elements.", examples=["FP32"])
    shape: list[int] = Field(description="Its sizes.", examples=[[1]])
    parameters: dict[str, int] | None = Field(
        default=None, description="`binary_data_size`: its bytes that follow the JSON.", examples=[None]
    )
    data: list[Any] | None = Field(  # numbers, texts or truth values
        default=None, description="Its elements in row-major order, unless they follow the JSON.", examples=[[0.83]]
    )


class InferResponseBody(BaseModel):
    """What a model says of pictures."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: str = Field(description="The model that answered.", examples=["demo"])
    model_version: str = Field(description="Its version, as text.", examples=["1"])
    id: str | None = Field(default=None, description="The request's.", examples=["part-4711"])
    outputs: list[InferOutputBody] = Field(description="In the order in which they were asked for.")
