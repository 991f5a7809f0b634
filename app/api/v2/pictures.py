"""Reads the pictures of the input tensor."""

from collections.abc import Sequence

from starlette.types import Scope

from app.api.limits import hold
from app.api.v2.invalid import invalid
from app.api.v2.mistyped import refuse_mistyped
from app.api.v2.numbers import most_bytes, read_numbers
from app.api.v2.parser import Parser
from app.api.v2.request import INPUT, Message
from app.api.v2.schemas.inference import InferInputBody
from app.api.v2.tensors import DTYPES, count, read_array, read_base64, read_elements
from app.errors import TooManyPictures
from app.service import Pixels, Source
from app.service.source import Values
from app.shown import shown

CHANNELS = (1, 3)
KNOWN = ("binary_data_size", "shared_memory_region", "layout", "white")
"""The parameters of the input that this server reads."""

_LAYOUTS = {4: ("NHWC", "NCHW"), 3: ("HWC", "CHW")}


async def read_pictures(message: Message, most: int, parser: Parser, scope: Scope) -> list[Source]:
    """The pictures of a request's input. Reads its body to the end.

    Raises HTTPException, TooManyPictures if there are more than `most`, and the errors of `hold`.
    """
    tensor = message.body.inputs[0]
    if tensor.name != INPUT:
        raise invalid(f"there is no input {shown(tensor.name)}; the only one is {INPUT!r}")
    refuse_mistyped(tensor.parameters, KNOWN)
    if message.data is not None and ("binary_data_size" in tensor.parameters or await message.binary.skip()):
        raise invalid("the input has both data and binary data; send one of them")
    if "shared_memory_region" in tensor.parameters:
        raise invalid("shared memory is not supported; send the tensor as binary data")
    if message.data is not None and bytes(message.data[:1]) != b"[":
        raise invalid("inputs.0.data: the data is not a list; send the elements of the tensor")
    if tensor.datatype == "BYTES":
        _check_parameters(tensor)
        files = _files(tensor.shape)
        _check_count(files, most)
        return [*await _read_files(message, tensor, files, parser, scope)]
    if tensor.datatype not in DTYPES:
        raise invalid(
            f"datatype {shown(tensor.datatype)} is not taken; send BYTES (a picture's file), {', '.join(DTYPES)}"
        )
    channels = _channel_axis(tensor)
    _check_count(tensor.shape[0] if len(tensor.shape) == 4 else 1, most)
    white = _white(tensor)
    if not count(tensor.shape):
        raise invalid(f"a tensor of shape {shown(tensor.shape)} has no pixels; send at least one picture")
    values = await _read_values(message, tensor, parser, scope)
    pictures = values if values.ndim == 4 else values[None]
    return [Pixels(each if channels == "first" else each.transpose(2, 0, 1), white) for each in pictures]


async def _read_files(
    message: Message, tensor: InferInputBody, files: int, parser: Parser, scope: Scope
) -> Sequence[bytes]:
    if message.is_picture:
        return [await message.binary.read()]
    if message.data is None:
        return await read_elements(tensor, message.binary, files)
    hold(scope, len(message.data))
    return await parser.run(read_base64, message.data, tensor.shape)


async def _read_values(message: Message, tensor: InferInputBody, parser: Parser, scope: Scope) -> Values:
    if message.data is None:
        return await read_array(tensor, message.binary)
    hold(scope, most_bytes(message.data, tensor.shape, tensor.datatype))
    return await parser.run(read_numbers, message.data, tensor.shape, tensor.datatype)


def _files(shape: list[int]) -> int:
    if len(shape) == 1 or (len(shape) == 2 and shape[1] == 1):
        return shape[0]
    raise invalid(f"BYTES of shape {shown(shape)} are not taken; send [n] or [n,1], a picture's file in each element")


def _check_count(pictures: int, most: int) -> None:
    if pictures == 0:
        raise invalid("there is no picture; send at least one")
    if pictures > most:
        raise TooManyPictures(
            f"there are {shown(pictures)} pictures; send at most {most} with a request (the server's batch_pictures)"
        )


def _check_parameters(tensor: InferInputBody) -> None:
    for name in ("layout", "white"):
        if name in tensor.parameters:
            raise invalid(f"{name} applies to tensors of pixels only; the file of a picture defines it")


def _channel_axis(tensor: InferInputBody) -> str:
    """`first` or `last`: the channel axis by the parameter `layout`, or the only axis of a possible size."""
    shape = tensor.shape
    if len(shape) not in _LAYOUTS:
        raise invalid(
            f"{tensor.datatype} of shape {shown(shape)} is not taken; send [n,H,W,C] or [n,C,H,W], "
            "or [H,W,C] or [C,H,W] for one picture, where C is 1 or 3"
        )
    last, first = _LAYOUTS[len(shape)]
    found = {first: shape[-3], last: shape[-1]}
    layout = tensor.parameters.get("layout")
    if layout is None:
        possible = [name for name, size in found.items() if size in CHANNELS]
        if len(possible) != 1:
            problem = "both axes may be the channels" if possible else "no axis of channels has a size of 1 or 3"
            raise invalid(f"shape {shown(shape)}: {problem}; the parameter layout says which it is: {last} or {first}")
        layout = possible[0]
    if not isinstance(layout, str) or layout not in found:
        raise invalid(f"layout {shown(layout)} does not fit a tensor of {len(shape)} axes; give {last} or {first}")
    if found[layout] not in CHANNELS:
        raise invalid(
            f"shape {shown(shape)} as {layout} has {shown(found[layout])} channels; there must be 1 (grey) or 3 (RGB)"
        )
    return "first" if layout == first else "last"


def _white(tensor: InferInputBody) -> float:
    if "white" not in tensor.parameters:
        return 1.0
    white = tensor.parameters["white"]
    if tensor.datatype != "FP32":
        raise invalid(f"white is for FP32; that of {tensor.datatype} is its largest value")
    if isinstance(white, bool) or not isinstance(white, int | float) or not 1e-6 <= white <= 1e9:
        raise invalid(f"white is {shown(white)}; give the value that white pixels have, such as 1 or 255")
    return float(white)
