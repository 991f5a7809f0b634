"""Builds requests of the protocol, and parses their answers, without a client library."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
from httpx2 import Response
from numpy.typing import NDArray
from starlette.testclient import TestClient

Document = dict[str, Any]
URL = "/v2/models/patchcore/infer"
LENGTH = "Inference-Header-Content-Length"
DATATYPES = {"FP32": "<f4", "UINT8": "u1", "UINT16": "<u2", "BOOL": "?"}


def as_elements(files: Sequence[bytes]) -> bytes:
    return b"".join(len(file).to_bytes(4, "little") + file for file in files)


def files_input(files: Sequence[bytes], shape: list[int] | None = None) -> tuple[Document, bytes]:
    data = as_elements(files)
    shape = [len(files)] if shape is None else shape
    parameters = {"binary_data_size": len(data)}
    return {"name": "image", "shape": shape, "datatype": "BYTES", "parameters": parameters}, data


def pixels_input(pixels: NDArray[Any], **parameters: object) -> tuple[Document, bytes]:
    datatype = {"f": "FP32", "u1": "UINT8", "u2": "UINT16"}[pixels.dtype.str[1:].replace("f4", "f")]
    data = pixels.tobytes()
    parameters = {"binary_data_size": len(data)} | parameters
    return {"name": "image", "shape": list(pixels.shape), "datatype": datatype, "parameters": parameters}, data


def ask(
    client: TestClient,
    tensor: tuple[Document, bytes],
    outputs: Sequence[str] | None = None,
    *,
    url: str = URL,
    headers: dict[str, str] | None = None,
    **request: object,
) -> Response:
    document, data = tensor
    body: Document = {"inputs": [document]} | request
    if outputs is not None:
        body["outputs"] = [{"name": name, "parameters": {"binary_data": True}} for name in outputs]
    text = json.dumps(body).encode()
    return client.post(url, content=text + data, headers={LENGTH: str(len(text))} | (headers or {}))


def parsed(answer: Response) -> tuple[Document, dict[str, NDArray[Any]]]:
    """The JSON of an answer, and its outputs by name."""
    assert answer.status_code == 200, answer.text
    end = int(answer.headers.get(LENGTH, len(answer.content)))
    body, rest = json.loads(answer.content[:end]), answer.content[end:]
    found: dict[str, NDArray[Any]] = {}
    for output in body["outputs"]:
        if "data" in output:
            values = np.array(output["data"])
        else:
            size = output["parameters"]["binary_data_size"]
            own, rest = rest[:size], rest[size:]
            values = (
                elements(own) if output["datatype"] == "BYTES" else np.frombuffer(own, DATATYPES[output["datatype"]])
            )
        found[output["name"]] = values.reshape(output["shape"])
    assert not rest
    return body, found


def elements(data: bytes) -> NDArray[Any]:
    found = []
    while data:
        end = 4 + int.from_bytes(data[:4], "little")
        found.append(data[4:end].decode())
        data = data[end:]
    return np.array(found)
