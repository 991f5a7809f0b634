"""Every prediction is told to the sinks, with what the answer says."""

import asyncio
import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from time import monotonic
from typing import Any

import httpx2
import pytest

from app.api.schemas.verdict import VerdictBody
from app.api.verdicts import Verdicts
from app.events import Event
from app.settings import Settings
from tests.events.receiving import SECRET, Received, receiver
from tests.running import Live, running
from tests.waiting import wait_until

SHARED = ("model", "image", "score", "raw_score", "threshold", "label", "regions", "notes")


@pytest.fixture(scope="module")
def received() -> Iterator[Received]:
    with receiver() as each:
        yield each


@pytest.fixture(scope="module")
def telling(received: Received, models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that tells `received`, and a folder."""
    work = tmp_path_factory.mktemp("telling")
    (work / "secret").write_text(SECRET)
    sinks = f"{received.url}#secret_file={work}/secret, folder:{work}/folder"
    settings = Settings(models_dir=models_dir, device="cpu", on_verdict=sinks, spool_dir=work / "spool")
    with running(settings) as live:
        yield live


@pytest.mark.parametrize("route", ["predict", "heatmap", "anomaly-map", "predict-batch", "v2", "v2 pixels"])
def test_each_route_tells_the_verdict_of_its_answer(
    telling: Live, received: Received, defect_png: bytes, route: str
) -> None:
    own, url = f"test {route}".replace(" ", "-"), f"{telling.url}/v1/models/patchcore"
    headers = {"X-Request-ID": own}
    digest = hashlib.sha256(defect_png).hexdigest()
    if route == "v2":
        url = f"{telling.url}/v2/models/patchcore"
        httpx2.post(f"{url}/infer", content=defect_png, headers=headers | {"Inference-Header-Content-Length": "0"})
    elif route == "v2 pixels":
        data: dict[str, Any] = {"name": "image", "datatype": "UINT8", "shape": [64, 64, 1], "data": [7] * 4096}
        httpx2.post(f"{telling.url}/v2/models/patchcore/infer", json={"inputs": [data]}, headers=headers)
        digest = hashlib.sha256(bytes([7]) * 4096).hexdigest()
    else:
        field = "images" if route == "predict-batch" else "image"
        httpx2.post(f"{url}/{route}", files={field: ("part 7.png", defect_png)}, headers=headers)
    wait_until(lambda: any(each["request_id"] == own for each in received.bodies.values()))
    (told,) = [each for each in received.bodies.values() if each["request_id"] == own]
    VerdictBody.model_validate(told)
    assert told["picture"] == {"name": "" if "v2" in route else "part 7.png", "sha256": digest}
    assert told["source"].endswith("/infer" if "v2" in route else f"/{route}")
    if route != "v2 pixels":
        answer = httpx2.post(f"{telling.url}/v1/models/patchcore/predict", files={"image": defect_png}).json()
        answer["regions"] = [
            {"zone": None, **each} for each in answer["regions"]
        ]  # verdicts have null for what is absent
        assert {name: told[name] for name in SHARED} == {name: answer[name] for name in SHARED}
        assert told["region_count"] == len(answer["regions"]) > 0


def test_a_large_upload_has_its_digest_and_refused_pictures_have_no_verdict(
    telling: Live, received: Received, normal_png: bytes
) -> None:
    large, before = normal_png + bytes(3 * 2**20), len(received.bodies)  # what follows the IEND is ignored
    url = f"{telling.url}/v1/models/patchcore/predict"
    assert httpx2.post(url, content=b"no picture", headers={"Content-Type": "image/png"}).status_code == 415
    answer = httpx2.post(url, content=large, headers={"Content-Type": "image/png", "X-Request-ID": "large"})
    assert answer.status_code == 200, answer.text
    wait_until(lambda: any(each["request_id"] == "large" for each in received.bodies.values()))
    (told,) = list(received.bodies.values())[before:]
    assert told["picture"] == {"name": "", "sha256": hashlib.sha256(large).hexdigest()}


def test_the_metrics_count_events_and_the_folder_has_them(telling: Live, received: Received) -> None:
    wait_until(lambda: "tessera_events_waiting" in httpx2.get(f"{telling.url}/metrics").text)
    folder = telling.services.verdicts._outlet._deliveries[1].sink._folder  # type: ignore[attr-defined]

    def written() -> set[str]:
        return {json.loads(path.read_text())["id"] for path in folder.rglob("*.json")}

    wait_until(lambda: written() == received.bodies.keys())
    delivered = f'result="delivered",sink="folder:{folder}"}} {float(len(received.bodies))}'
    wait_until(lambda: delivered in httpx2.get(f"{telling.url}/metrics").text)  # counted after it is written


class Hanging:
    """An outlet whose disk hangs."""

    wanted = True

    def __init__(self) -> None:
        self.handed: list[Future[None]] = []

    def tell(self, event: Event) -> Future[None]:
        self.handed.append(Future())
        return self.handed[-1]


async def _told(verdicts: Verdicts, times: int) -> float:
    body = VerdictBody.model_construct(id="1", time="", type="tessera.verdict.v1")
    started_s = monotonic()
    for _ in range(times):
        await verdicts.tell(body)
    return monotonic() - started_s


@pytest.mark.filterwarnings("ignore:Pydantic serializer")
def test_a_disk_that_hangs_delays_one_answer_by_a_little_and_no_further_one() -> None:
    outlet = Hanging()
    assert asyncio.run(_told(Verdicts(outlet), 200)) < 100 * 0.02
    assert len(outlet.handed) == 200
