"""Many requests at once, over HTTP."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from app.pipeline import predict
from tests.conftest import draw_surface
from tests.running import Live

REQUESTS, CLIENTS = 120, 32
SIZES = [(64, 64), (40, 50), (65, 64), (64, 97), (96, 96), (96, 160), (100, 70), (128, 64), (33, 200), (1, 1)]
SIZES += [(130, 66), (160, 192)]


def test_120_requests_of_12_sizes_are_each_answered_as_if_alone(live: Callable[..., Live]) -> None:
    server = live(precision="float32")
    pictures = [draw_surface(seed, *size) for seed, size in enumerate(SIZES)]
    bodies = [_png(picture) for picture in pictures]
    model = server.services.catalogue.get("patchcore", 1).model

    with httpx2.Client(base_url=server.url, timeout=120) as client, ThreadPoolExecutor(CLIENTS) as pool:

        def ask(number: int) -> NDArray[np.float32]:
            given = {"image": bodies[number % len(bodies)]}
            route = "/v1/models/patchcore/anomaly-map?version=1&normalised=false"
            answer = client.post(route, files=given)
            assert answer.status_code == 200
            found: NDArray[np.float32] = np.load(io.BytesIO(answer.content))
            return found

        answers = list(pool.map(ask, range(REQUESTS)))
    assert server.services.worker.tiles == 0
    alone = [predict(model, torch.from_numpy(picture).permute(2, 0, 1).contiguous()) for picture in pictures]
    for number, found in enumerate(answers):
        expected = alone[number % len(SIZES)].anomaly_map.numpy()
        assert found.shape == SIZES[number % len(SIZES)]
        assert np.abs(found - expected).max() <= 1e-4 * expected.max()


def _png(picture: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()
