"""When Serve sends requests to a replica, and when it replaces one."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

pytest.importorskip("ray", reason="the extra `ray` is not installed")

from app.application import build_app
from app.deploy.autoscaling import QUEUE
from app.deploy.replica import Replica
from app.errors import CannotServe, DeviceFailed
from app.settings import Settings
from tests.api.test_faults import URL, inject


def replica_of(client: TestClient) -> Any:
    """A replica that has built the client's application, without a cluster and without Serve's destructor."""
    found: Any = object.__new__(Replica.__mro__[1])
    found._services, found._is_loaded = client.app.state.services, False  # type: ignore[attr-defined]
    return found


def test_a_replica_is_healthy_when_its_models_are_loaded_until_only_a_new_process_can_help(
    models_dir: Path, tmp_path: Path, normal_png: bytes
) -> None:
    (tmp_path / "padim").symlink_to(models_dir / "padim")
    with TestClient(build_app(Settings(models_dir=tmp_path, device="cpu", cpu_lanes=1))) as client:
        replica = replica_of(client)
        asyncio.run(replica.check_health())
        assert client.post(URL, files={"image": normal_png}).status_code == 200
        assert asyncio.run(replica.record_autoscaling_stats()) == {QUEUE: 0.0}

        def fault(_: object) -> None:
            raise SystemExit("the end")

        inject(client, fault)
        assert client.post(URL, files={"image": normal_png}).status_code == 503
        assert client.get("/livez").status_code == 503
        with pytest.raises(DeviceFailed, match="SystemExit"):
            asyncio.run(replica.check_health())


def test_a_replica_that_could_predict_nothing_does_not_start(tmp_path: Path) -> None:
    with (
        TestClient(build_app(Settings(models_dir=tmp_path, device="cpu", cpu_lanes=1))) as client,
        pytest.raises(CannotServe, match="no model"),
    ):
        asyncio.run(replica_of(client).check_health())
