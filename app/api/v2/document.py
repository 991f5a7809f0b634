"""The JSON of an inference request, parsed with little memory whatever it contains.

msgspec checks the syntax of the whole JSON, and finds the values of the protocol's fields without making Python objects
of them. The text of the tensor's `data` is read later, by its datatype. Everything else of the protocol's fields is at
most MAX_FIELDS_BYTES, and is then validated as usual. Values of unknown fields are skipped.
"""

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType
from pydantic import ValidationError

from app.api.v2.invalid import invalid, malformed, too_large
from app.api.v2.schemas.inference import InferRequestBody

MAX_FIELDS_BYTES = 2**16
"""The limit on the JSON without the tensor's data. It bounds names, parameters, shapes and nesting together."""

_NULL = b"null"


class _Tensor(Struct):
    name: Raw | UnsetType = UNSET
    shape: Raw | UnsetType = UNSET
    datatype: Raw | UnsetType = UNSET
    parameters: Raw | UnsetType = UNSET
    data: Raw | UnsetType = UNSET


class _Document(Struct):
    id: Raw | UnsetType = UNSET
    parameters: Raw | UnsetType = UNSET
    inputs: tuple[_Tensor] | UnsetType = UNSET
    outputs: Raw | UnsetType = UNSET


def read_document(text: bytes) -> tuple[InferRequestBody, memoryview | None]:
    """The request without its tensor's data, and the JSON text of the data, which is a part of `text`.

    Without data: None. Raises HTTPException.
    """
    document = _syntax(text)
    data = _take_data(document)
    fields = msgspec.json.encode(document)
    if len(fields) > MAX_FIELDS_BYTES:
        raise too_large(
            f"the JSON without the tensor's data has {len(fields):,} bytes, and {MAX_FIELDS_BYTES:,} are read; "
            "leave out parameters that the server does not know"
        )
    try:
        return InferRequestBody.model_validate_json(fields), data
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        if "number out of range" in first["msg"]:
            raise invalid("a number has thousands of digits; send one that the field can hold") from error
        if first["type"] == "json_invalid":
            raise _not_json(first["msg"]) from error
        raise invalid(f"{place}: {first['msg']}" if place else first["msg"]) from error


def _syntax(text: bytes) -> _Document:
    try:
        try:
            return msgspec.json.decode(text, type=_Document)
        except msgspec.ValidationError as error:
            msgspec.json.decode(text, type=Raw)  # what is no JSON at all is refused as such
            problem, _, path = str(error).partition(" - at `$.")
            place = path.removesuffix("`")
            raise invalid(f"{place}: {problem}" if place else problem) from error
    except msgspec.DecodeError as error:
        raise _not_json(str(error)) from error
    except RecursionError as error:
        raise malformed("the body is not JSON of a request: its values are nested too deeply") from error


def _take_data(document: _Document) -> memoryview | None:
    """Removes the tensor's data from the document, and returns its text."""
    if document.inputs is UNSET:
        return None
    (tensor,) = document.inputs
    data, tensor.data = tensor.data, UNSET
    if data is UNSET or bytes(memoryview(data)[: len(_NULL)]) == _NULL:
        return None
    return memoryview(data)


def _not_json(problem: str) -> Exception:
    return malformed(
        f"the body is not JSON ({problem}); "
        "if binary data follows it, Inference-Header-Content-Length says where it ends"
    )
