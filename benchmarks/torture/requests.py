"""Good, bad and cancelled requests of the mixed load, and what is wrong with their answers."""

import io
import json
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from random import Random
from time import sleep

import numpy as np

from benchmarks.torture.clients import RAW, Answer, Request
from benchmarks.torture.known import Known

LENGTH = "Inference-Header-Content-Length"
LONGEST_CANCELLED_S = 0.4
Check = Callable[[Answer], str]
"""Returns what is wrong with an answer; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request, its kind, and the check of its answer."""

    kind: str
    request: Request
    check: Check


class Drawer:
    """Draws requests at random."""

    def __init__(self, known: Known, rng: Random) -> None:
        self._known, self._rng = known, rng

    def good(self) -> Asked:
        way = self._rng.choice((self._raw, self._raw, self._form, self._map, self._batch, self._json, self._binary))
        return way(self._rng.choice(self._known.names))

    def bad(self) -> Asked:
        """A request that must be refused."""
        name, (number,) = self._rng.choice(self._known.names), self._numbers(1)
        data, path = self._known.pictures[number].data, f"/v1/models/{name}/predict"
        requests = (
            Request("POST", path, data[: len(data) // 2], RAW),
            Request("POST", path, self._rng.randbytes(3000), RAW),
            Request("POST", path + "?threshold=7", data, RAW),
            Request("POST", "/v1/models/absent/predict", data, RAW),
            Request("POST", path, b"", RAW),
            Request("POST", path, data, {"Content-Type": "text/html"}),
            Request("POST", f"/v2/models/{name}/infer", b'{"inputs":[{]}', {"Content-Type": "application/json"}),
            Request("POST", f"/v2/models/{name}/infer", b'{"inputs":[]}', {"Content-Type": "application/json"}),
            Request("GET", path),
        )
        return Asked("bad", self._rng.choice(requests), _is_refused)

    def cancel(self, port: int) -> None:
        """Sends a good request, or a part of it, and leaves before the answer."""
        request = self.good().request
        headers = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        head = (
            f"POST {request.path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(request.body)}\r\n{headers}\r\n"
        )
        whole = head.encode() + request.body
        sent = whole if self._rng.random() < 0.7 else whole[: self._rng.randrange(len(whole))]
        with suppress(OSError), socket.create_connection(("127.0.0.1", port)) as connection:
            if self._rng.random() < 0.5:  # reset instead of an orderly end
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.sendall(sent)
            sleep(self._rng.uniform(0, LONGEST_CANCELLED_S))

    def _numbers(self, count: int) -> list[int]:
        pictures = self._known.pictures
        return self._rng.choices(range(len(pictures)), [each.weight for each in pictures], k=count)

    def _raw(self, name: str) -> Asked:
        (number,) = self._numbers(1)
        query = self._rng.choice(("", "", "?include=heatmap", "?include=tiles,mask"))
        request = Request("POST", f"/v1/models/{name}/predict{query}", self._known.pictures[number].data, RAW)
        return Asked("raw", request, _answered(lambda body: self._v1(name, number, json.loads(body))))

    def _form(self, name: str) -> Asked:
        (number,) = self._numbers(1)
        request = _form_request(f"/v1/models/{name}/predict", "image", [self._known.pictures[number].data])
        return Asked("form", request, _answered(lambda body: self._v1(name, number, json.loads(body))))

    def _batch(self, name: str) -> Asked:
        numbers = self._numbers(self._rng.choice((2, 3)))
        files = [self._known.pictures[number].data for number in numbers]

        def check(body: bytes) -> str:
            items = json.loads(body)["items"]
            wrong = [self._v1(name, number, item["prediction"]) for number, item in zip(numbers, items, strict=True)]
            return next(filter(None, wrong), "")

        return Asked("batch", _form_request(f"/v1/models/{name}/predict-batch", "images", files), _answered(check))

    def _map(self, name: str) -> Asked:
        (number,) = self._numbers(1)
        picture = self._known.pictures[number]
        path = f"/v1/models/{name}/anomaly-map?format=npy&normalised=false"

        def check(body: bytes) -> str:
            found, peak = np.load(io.BytesIO(body)), self._known.peak(name, number)
            right = found.shape == picture.size and abs(float(found.max()) - peak) <= 0.005 * abs(peak)
            return "" if right else f"{name}, picture {number}: map {found.shape} with peak {found.max()} not {peak}"

        return Asked("map", Request("POST", path, picture.data, RAW), _answered(check))

    def _json(self, name: str) -> Asked:
        numbers = [number for number in self._numbers(3) if self._known.pictures[number].pixels is not None][:1] or [0]
        pixels = self._known.pictures[numbers[0]].pixels
        assert pixels is not None
        tensor = {"name": "image", "shape": list(pixels.shape), "datatype": "UINT8", "data": pixels.flatten().tolist()}
        body = json.dumps({"inputs": [tensor]}).encode()
        request = Request("POST", f"/v2/models/{name}/infer", body, {"Content-Type": "application/json"})
        return Asked("v2 JSON", request, _answered(lambda body: self._v2(name, numbers, json.loads(body))))

    def _binary(self, name: str) -> Asked:
        numbers = self._numbers(self._rng.choice((1, 2)))
        files = [self._known.pictures[number].data for number in numbers]
        data = b"".join(struct.pack("<I", len(file)) + file for file in files)
        parameters = {"binary_data_size": len(data)}
        tensor = {"name": "image", "shape": [len(files)], "datatype": "BYTES", "parameters": parameters}
        head = json.dumps({"inputs": [tensor]}).encode()
        headers = {LENGTH: str(len(head)), "Content-Type": "application/octet-stream"}
        request = Request("POST", f"/v2/models/{name}/infer", head + data, headers)
        return Asked("v2 binary", request, _answered(lambda body: self._v2(name, numbers, json.loads(body))))

    def _v1(self, name: str, number: int, body: dict[str, object]) -> str:
        model, image, score = body["model"], body["image"], body["score"]
        assert isinstance(model, dict) and isinstance(image, dict) and isinstance(score, float)
        if (image["height"], image["width"]) != self._known.pictures[number].size or model["name"] != name:
            return f"{model['name']} answered for a picture of {image}, not {name} for picture {number}"
        return self._known.wrong(name, model["version"], number, score, str(body["label"]))

    def _v2(self, name: str, numbers: list[int], body: dict[str, object]) -> str:
        outputs = body["outputs"]
        assert isinstance(outputs, list)
        values = {output["name"]: output["data"] for output in outputs}
        version = int(str(body["model_version"]))
        rows = zip(numbers, values["score"], values["label"], strict=True)
        wrong = (self._known.wrong(name, version, number, score, label) for number, score, label in rows)
        return next(filter(None, wrong), "")


def _form_request(path: str, field: str, files: list[bytes]) -> Request:
    part = '--B\r\nContent-Disposition: form-data; name="{}"; filename="{}"\r\n\r\n'
    parts = [part.format(field, number).encode() + file + b"\r\n" for number, file in enumerate(files)]
    return Request("POST", path, b"".join(parts) + b"--B--\r\n", {"Content-Type": "multipart/form-data; boundary=B"})


def _answered(check: Callable[[bytes], str]) -> Check:
    return lambda answer: check(answer.body) if answer.status == 200 else f"{answer.status} {answer.body[:200]!r}"


def _is_refused(answer: Answer) -> str:
    return "" if 400 <= answer.status < 500 else f"{answer.status} for a bad request {answer.body[:200]!r}"
