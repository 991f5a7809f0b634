"""The outputs that a request may name, and their encoding."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from app.api.v2.invalid import invalid, too_large
from app.api.v2.mistyped import refuse_mistyped
from app.api.v2.schemas.inference import InferOutputBody, InferRequestBody, Parameters
from app.pipeline import Roi
from app.service import Predicted, Rendering
from app.service.pictures import anomaly_mask, normalised_map
from app.shown import shown
from app.tiling import Size

Array = npt.NDArray[np.float32 | np.bool_ | np.bytes_]

MAX_MAP_BYTES = 272 * 2**20
"""The limit on the maps of one response: an FP32 map of 8192 x 8192 pixels fits."""
MAX_JSON_VALUES = 2**21
"""The limit on the map values in the JSON of one response: about 40 MB of text."""
ANSWER_COPIES = 4
"""The copies of a binary map while a response is put together: of each picture, of all, as bytes, and the body."""
JSON_VALUE_BYTES = 64
"""The bytes of a map value in JSON while a response is put together: the number, the list of numbers, and the text."""


@dataclass(frozen=True, slots=True)
class Output:
    """An output.

    rank: the number of axes; the first axis counts the pictures
    of: makes the part of one picture, whose first axis has a size of 1
    """

    datatype: str
    rank: int
    of: Callable[[Predicted], Array]

    @property
    def is_map(self) -> bool:
        """Whether the output has one value for each pixel."""
        return self.rank == 3

    @property
    def item_bytes(self) -> int:
        """The size of an element of a map."""
        return 1 if self.datatype == "BOOL" else 4


@dataclass(frozen=True, slots=True)
class RequestedOutput:
    """A requested output; `binary`: whether it is returned as binary data."""

    name: str
    binary: bool

    @property
    def output(self) -> Output:
        return OUTPUTS[self.name]


def _float(value: float) -> Array:
    return np.array([value], np.float32)


OUTPUTS: dict[str, Output] = {
    "score": Output("FP32", 1, lambda predicted: _float(predicted.prediction.score)),
    "raw_score": Output("FP32", 1, lambda predicted: _float(predicted.prediction.raw_score)),
    "label": Output("BYTES", 1, lambda predicted: np.array([predicted.prediction.label.value.encode()])),
    "threshold": Output("FP32", 1, lambda predicted: _float(predicted.prediction.criteria.threshold)),
    "anomaly_map": Output("FP32", 3, lambda predicted: normalised_map(predicted).numpy()[None]),
    "raw_anomaly_map": Output("FP32", 3, lambda predicted: predicted.prediction.anomaly_map.numpy()[None]),
    "mask": Output("BOOL", 3, lambda predicted: anomaly_mask(predicted).numpy()[None]),
}
UNSUPPORTED = ("classification", "shared_memory_region")
"""Parameters of the protocol's extensions that this server does not have."""
BY_DEFAULT = ("score", "raw_score", "label", "threshold")


def read_outputs(request: InferRequestBody) -> list[RequestedOutput]:
    """The outputs that a request names, or those of BY_DEFAULT; raises HTTPException."""
    default = _flag(request.parameters, "binary_data_output", False)
    if request.outputs is None or not request.outputs:
        return [RequestedOutput(name, default) for name in BY_DEFAULT]
    wanted: dict[str, RequestedOutput] = {}
    for each in request.outputs:
        if each.name not in OUTPUTS:
            raise invalid(f"there is no output {shown(each.name)}; available: {', '.join(OUTPUTS)}")
        if each.name in wanted:
            raise invalid(f"output {each.name!r} is requested twice; request it once")
        refuse_mistyped(each.parameters, (*UNSUPPORTED, "binary_data"))
        for parameter in UNSUPPORTED:
            if each.parameters.get(parameter):
                raise invalid(f"output {each.name!r}: {parameter} is not supported; leave it out")
        wanted[each.name] = RequestedOutput(each.name, _flag(each.parameters, "binary_data", default))
    return list(wanted.values())


def _flag(parameters: Parameters, name: str, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise invalid(f"{name} is {shown(value)}; give true or false")
    return value


def check_sizes(sizes: Sequence[Size], wanted: Sequence[RequestedOutput], roi: Roi | None = None) -> None:
    """Raises HTTPException if the requested maps do not fit into one tensor, or into one response.

    `sizes` are those of the pictures. With `roi`, the maps have the size of the region.
    """
    maps = [each for each in wanted if each.output.is_map]
    if not maps:
        return
    if roi is not None:
        sizes = [(roi.height, roi.width)] * len(sizes)
    (height, width), count = sizes[0], len(sizes)
    for number, (other_height, other_width) in enumerate(sizes):
        if (other_height, other_width) != (height, width):
            raise invalid(
                f"picture {number} has {other_width} x {other_height} pixels, and picture 0 has {width} x {height}: "
                f"their maps do not fit into one tensor; ask for {maps[0].name!r} with pictures of one size"
            )
    values = height * width * count
    size = sum(each.output.item_bytes * values for each in maps)
    if size > MAX_MAP_BYTES:
        raise too_large(f"the maps have {size:,} bytes, the limit is {MAX_MAP_BYTES:,}; ask for fewer at once")
    written = sum(values for each in maps if not each.binary)
    if written > MAX_JSON_VALUES:
        raise too_large(
            f"the maps have {written:,} values, and JSON is limited to {MAX_JSON_VALUES:,}; ask for binary_data"
        )


def rendering(wanted: Sequence[RequestedOutput]) -> Rendering[list[Array]]:
    """Makes the part of one picture in each requested output."""
    maps = [each for each in wanted if each.output.is_map]
    drawn = sum(each.output.item_bytes for each in maps)
    kept = sum(ANSWER_COPIES * each.output.item_bytes if each.binary else JSON_VALUE_BYTES for each in maps)
    return Rendering(lambda predicted: [each.output.of(predicted) for each in wanted], drawn, kept)


def encode(wanted: RequestedOutput, arrays: Sequence[Array]) -> tuple[InferOutputBody, bytes]:
    """One output of all pictures, and its binary data, which is empty if the output is in the JSON."""
    whole = np.concatenate(arrays)
    body = InferOutputBody(name=wanted.name, datatype=wanted.output.datatype, shape=list(whole.shape))
    if not wanted.binary:
        flat = whole.reshape(-1)
        body.data = (flat.astype(np.str_) if wanted.output.datatype == "BYTES" else flat).tolist()
        return body, b""
    data = _binary(whole)
    body.parameters = {"binary_data_size": len(data)}
    return body, data


def _binary(whole: Array) -> bytes:
    if whole.dtype.kind == "S":
        return b"".join(len(each).to_bytes(4, "little") + each for each in whole.tolist())
    little = whole.astype(whole.dtype.newbyteorder("<"), copy=False)
    return little.tobytes()
