"""Several pictures at once, on one device or on several behind one queue."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import get_ident
from typing import Any

import httpx2
import torch

from app.artifacts import ModelRepository
from app.pipeline import predict
from app.service import ModelCatalogue

URL = "/v1/models/patchcore/predict"


def test_all_lanes_work_and_give_the_same_answers(live: Callable[..., Any], defect_png: bytes) -> None:
    server = live(cpu_lanes=2, batch_tiles=2)
    (model,) = server.services.catalogue.get("patchcore").models
    used: set[int] = set()
    run = model.run

    def recorded(tiles: Any) -> Any:
        used.add(get_ident())
        return run(tiles)

    model.run = recorded  # records which threads run the model
    with ThreadPoolExecutor(8) as pool:
        post = [pool.submit(httpx2.post, server.url + URL, files={"image": defect_png}, timeout=60) for _ in range(24)]
        answers = [each.result() for each in post]
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["raw_score"] for answer in answers}) == 1
    assert len(used) == 2


def test_each_device_has_a_copy_of_the_model_with_the_same_results(models_dir: Path) -> None:
    catalogue = ModelCatalogue(ModelRepository(models_dir), [torch.device("cpu")] * 2)
    catalogue.refresh()
    first, second = catalogue.get("patchcore").models
    picture = (torch.arange(3 * 96 * 160) % 251).to(torch.uint8).reshape(3, 96, 160)
    assert first.detector is not second.detector
    assert torch.equal(predict(first, picture).anomaly_map, predict(second, picture).anomaly_map)
