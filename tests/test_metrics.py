"""`/metrics` exposes the metrics that docs/metrics.md describes."""

from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from app.application import build_app
from app.metric_table import METRICS
from app.settings import Settings
from scripts.contract.metrics import PLACE, text
from tests.waiting import wait_until


def test_the_metrics_page_is_up_to_date() -> None:
    assert PLACE.read_text() == text(), "docs/metrics.md is out of date: run `make metrics`"


def test_every_metric_is_exposed_as_described(models_dir: Path, normal_png: bytes, tmp_path: Path) -> None:
    jobs, kept = tmp_path / "jobs", tmp_path / "kept"
    settings = Settings(models_dir=models_dir, device="cpu", stage_times=True, jobs_dir=jobs, pictures_dir=kept)
    app = build_app(settings)
    with TestClient(app) as client:
        wait_until(lambda: client.get("/readyz").status_code == 200)
        assert client.post("/v1/models/patchcore/predict", files={"image": normal_png}).status_code == 200
        families = {family.name: family for family in text_string_to_metric_families(client.get("/metrics").text)}
    own = {name for name in families if not name.startswith("process_") and not name.endswith("_created")}
    assert own == {info.name for info in METRICS}
    for info in METRICS:
        family = families[info.name]
        assert (family.type, family.documentation) == (info.kind, info.help)
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(info.labels), info.name
