"""Several devices behind one queue."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2

from app.service import ModelCatalogue

URL = "/v1/models/patchcore/predict"


def test_all_devices_work_and_answer_alike(live: Callable[..., Any], defect_png: bytes) -> None:
    server = live(device="cpu,cpu", batch_tiles=2)
    catalogue: ModelCatalogue = server.services.catalogue
    models = catalogue.get("patchcore").models
    used: set[int] = set()
    for number, model in enumerate(models):

        def run(tiles: Any, number: int = number, run: Any = model.run) -> Any:
            used.add(number)
            return run(tiles)

        model.run = run  # type: ignore[method-assign]  # to see which copy runs

    with ThreadPoolExecutor(8) as pool:
        post = [pool.submit(httpx2.post, server.url + URL, files={"image": defect_png}, timeout=60) for _ in range(24)]
        answers = [each.result() for each in post]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["raw_score"] for answer in answers}) == 1
    assert len(models) == 2 and used == {0, 1}
