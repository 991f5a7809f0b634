import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from app.api.schemas.camera import ModelHealthBody
from app.artifacts import Artifact, BaselineRecord
from app.drift import CameraChanged, State
from app.pipeline import Coverage, Roi, interpret, predict
from app.service import Cameras
from app.training.camera import CameraPictures, Levels


def pictures(count: int, light: float) -> Iterator[torch.Tensor]:
    generator = torch.Generator().manual_seed(int(light))
    for _ in range(count):
        yield (torch.randn(3, 64, 96, generator=generator) * 20 + light).clamp(0, 255).to(torch.uint8)


@pytest.fixture(scope="module")
def artifact(client: TestClient) -> Artifact:
    """A served artifact, with the baseline of 60 grey pictures."""
    found: Artifact = client.app.state.services.catalogue.get("padim")  # type: ignore[attr-defined]  # any ASGI
    camera, levels = CameraPictures(found.model), Levels()
    for _, picture in camera.watch(enumerate(pictures(60, 100))):
        levels.add(found.model, predict(found.model, picture))
    record = camera.baseline(levels)
    assert record is not None
    assert {"brightness", "score", "level@0,0"} <= record.streams.keys()
    assert BaselineRecord.model_validate_json(record.model_dump_json()) == record
    return replace(found, manifest=found.manifest.model_copy(update={"camera": record}))


def test_alarms_reach_the_receivers_and_the_description(artifact: Artifact) -> None:
    events: list[CameraChanged] = []
    cameras = Cameras([events.append])
    for picture in pictures(40, 140):
        outcome = predict(artifact.model, picture)
        cameras.add(artifact, picture, interpret(outcome, artifact.calibration))
    body = ModelHealthBody.of(artifact, cameras.monitor(artifact))
    assert (body.state, body.pictures, body.alarms) == (State.changed, 40, 1)
    assert re.search(r"changed suddenly since picture \d: light \(brighter\)", body.message)
    assert [event.picture for event in events] == [body.last.picture if body.last else None]
    assert len(body.evidence_history) == len(body.pictures_at) == len(body.statistics[0].history) == 40
    brightness = next(each for each in body.statistics if each.name == "brightness")
    assert brightness.history[-1] > brightness.high > brightness.low


def test_an_alarm_that_is_not_named_yet_is_explained(artifact: Artifact) -> None:
    cameras, explained = Cameras(), []
    for picture in pictures(40, 140):
        cameras.add(artifact, picture, interpret(predict(artifact.model, picture), artifact.calibration))
        body = ModelHealthBody.of(artifact, cameras.monitor(artifact))
        if body.alarms:
            break
        assert body.naming or body.evidence < body.threshold
        if body.naming:
            assert f"after {body.naming} more picture" in body.message
            explained.append(body.naming)
    assert explained == [6, 5, 4, 3, 2, 1]


def test_the_state_of_a_version_outlives_others(artifact: Artifact) -> None:
    cameras = Cameras()
    first = cameras.monitor(artifact)
    assert cameras.monitor(replace(artifact, version=2, digest="another")) is not first
    assert cameras.monitor(artifact) is cameras.known(artifact) is first


def test_pictures_of_which_a_part_was_looked_at_are_left_out(artifact: Artifact) -> None:
    cameras, (picture,) = Cameras(), pictures(1, 100)
    whole = predict(artifact.model, picture)
    for coverage, expected in ((Coverage(0.5, (Roi(0, 0, 64, 48),), 4, 2), 0), (Coverage.whole(4), 1), (None, 2)):
        cameras.add(artifact, picture, interpret(replace(whole, coverage=coverage), artifact.calibration))
        assert ModelHealthBody.of(artifact, cameras.monitor(artifact)).pictures == expected


def test_models_without_a_baseline_are_predicted_and_say_so(client: TestClient) -> None:
    body = client.get("/v1/models/padim/health").json()
    assert (body["state"], body["pictures"], body["last"], body["statistics"]) == ("no_baseline", 0, None, [])
    assert "tessera calibrate --name padim --data Folder --data.root" in body["message"]
    assert client.get("/v1/models/padim/health?version=7").status_code == 404


def test_metrics_have_the_state_of_the_camera(client: TestClient, artifact: Artifact) -> None:
    services = client.app.state.services  # type: ignore[attr-defined]  # any ASGI
    services.cameras.monitor(artifact)  # under the digest of the served version
    found = {
        sample.name: (sample.labels, sample.value)
        for family in text_string_to_metric_families(client.get("/metrics").text)
        for sample in family.samples
        if sample.name.startswith("tessera_camera")
    }
    assert found["tessera_camera_changed"] == ({"model": "padim", "version": "1", "cause": "none"}, 0.0)
    assert found["tessera_camera_alarms_total"][1] == 0.0
