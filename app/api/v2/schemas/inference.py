"""The JSON of inference requests and responses, without the binary data that may follow it."""

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
    """The input tensor: one or several pictures."""

    name: str = Field(description="Name of the input: always `image`.", examples=["image"])
    shape: list[Size] = Field(
        description="BYTES: [n] or [n,1]. Pixels: [n,H,W,C] or [n,C,H,W], or without n for one picture; C is 1 or 3.",
        examples=[[1]],
    )
    datatype: str = Field(
        description="Type of the elements: BYTES for files; UINT8, UINT16 or FP32 for pixels.", examples=["BYTES"]
    )
    parameters: Parameters = Field(
        default={},
        description="`binary_data_size`: number of bytes of the tensor, which follow the JSON. `layout`: NHWC, NCHW, "
        "HWC or CHW, required if the shape does not show which axis is the channel axis. `white`: value of white "
        "pixels for FP32, 1 by default. Other parameters are ignored, unless their name is nearly one of these.",
        examples=[{}],
    )
    data: list[Any] | None = Field(  # numbers or strings, flat or nested: validated with shape and datatype
        default=None,
        description="Elements in row-major order, flat or nested like `shape`; elements of BYTES are in base64. Absent "
        "with `binary_data_size`.",
        examples=[["iVBORw0KGgo="]],
    )


class RequestedOutputBody(BaseModel):
    """A requested output."""

    name: str = Field(description="Name of the output: one of those in the metadata of the model.", examples=["score"])
    parameters: Parameters = Field(
        default={},
        description="`binary_data`: whether the output is returned as binary data after the JSON. Other parameters "
        "are ignored, unless their name is nearly this one.",
        examples=[{"binary_data": False}],
    )


class InferRequestBody(BaseModel):
    """An inference request."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE]})

    id: str | None = Field(
        default=None, description="ID of the request; the response has the same.", examples=["part-4711"]
    )
    parameters: Parameters = Field(
        default={},
        description="`binary_data_output`: default of `binary_data` for all outputs. `timeout`: time limit in "
        "microseconds; the header `X-Request-Timeout` is in seconds, and the shorter limit applies. `threshold` and "
        '`min_region_area`: as on /v1. `roi`: region of interest as on /v1, such as "256,0,512,384". Other '
        "parameters are ignored, unless their name is nearly one of these.",
        examples=[{"timeout": 2500000}],
    )
    inputs: list[InferInputBody] = Field(description="The input: exactly one.", min_length=1, max_length=1)
    outputs: list[RequestedOutputBody] | None = Field(
        default=None,
        description="Requested outputs. Default: `score`, `raw_score`, `label` and `threshold`.",
        max_length=64,
    )


class InferOutputBody(BaseModel):
    """An output tensor: its first axis counts the pictures."""

    name: str = Field(description="Name of the output.", examples=["score"])
    datatype: str = Field(description="Type of the elements.", examples=["FP32"])
    shape: list[int] = Field(description="Size of each axis.", examples=[[1]])
    parameters: dict[str, int] | None = Field(
        default=None,
        description="`binary_data_size`: number of bytes of the output, which follow the JSON.",
        examples=[None],
    )
    data: list[Any] | None = Field(  # numbers, strings or booleans
        default=None,
        description="Elements in row-major order; absent if they follow the JSON as binary data.",
        examples=[[0.83]],
    )


class InferResponseBody(BaseModel):
    """An inference response: the predictions of a model for the pictures."""

    model_config = ConfigDict(protected_namespaces=())

    model_name: str = Field(description="Name of the model.", examples=["demo"])
    model_version: str = Field(description="Version of the model, as a string.", examples=["1"])
    id: str | None = Field(default=None, description="ID of the request, if it has one.", examples=["part-4711"])
    outputs: list[InferOutputBody] = Field(description="Outputs, in the order of the request.")
