"""The report shows evidence for the most unusual region of each picture."""

import io
import json
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from app.artifacts import ModelRepository, load_artifact
from app.data import LabelledPicture
from app.evaluation import Procedure, evaluate
from app.evaluation.report import METRICS, PAGE, Gallery, explainer, make_record, write_report
from app.evaluation.report.explained import EDGE, GAP
from app.pipeline import interpret, predict
from tests.conftest import Picture


def test_the_report_has_the_evidence_of_the_prediction(
    explained_dir: Path, tmp_path: Path, defect_png: bytes, normal_png: bytes, defect_picture: Picture
) -> None:
    for name, png in (("defect", defect_png), ("normal", normal_png)):
        (tmp_path / f"{name}.png").write_bytes(png)
    artifact = load_artifact(ModelRepository(explained_dir).find("explained"))
    gallery = Gallery(artifact.calibration, explain=explainer(artifact))
    pictures = [
        LabelledPicture(tmp_path / f"{name}.png", kind, None)
        for name, kind in (("defect", "stain"), ("normal", "good"))
    ]
    found = evaluate(artifact.model, pictures, artifact.calibration, Procedure(scratch=tmp_path), observe=gallery.add)
    explained = {number: shown.explained.evidence for number, shown in gallery.shown.items() if shown.explained}
    write_report(tmp_path / "report", make_record(found, artifact, "stains", explained=explained), gallery)

    image = torch.from_numpy(defect_picture).permute(2, 0, 1).contiguous()
    own = artifact.evidence_for((96, 160)).compute(
        image, interpret(predict(artifact.model, image), artifact.calibration)
    )
    record = json.loads((tmp_path / "report" / METRICS).read_text())
    assert record["pictures"][1]["evidence"] is None
    written = record["pictures"][0]["evidence"]
    assert written["ratio"] == own[0].ratio
    assert [each["picture"] for each in written["nearest"]] == [each.name for each in own[0].nearest]
    page = (tmp_path / "report" / PAGE).read_text()
    assert page.count("times the 99.9th percentile of normal pictures") == 1
    place = own[0].nearest[0]
    assert f"Nearest: {place.name} at " in page
    assert gallery.shown[0].explained is not None
    strip = np.asarray(Image.open(io.BytesIO(gallery.shown[0].explained.strip)).convert("RGB")).astype(int)
    assert strip.shape == (EDGE, 4 * EDGE + 3 * GAP, 3)
    red, green, _ = strip[EDGE // 2, EDGE // 2]
    assert red - green > 100, "the first square shows the stain"
    red, green, _ = strip[EDGE // 2, EDGE + GAP + EDGE // 2]
    assert abs(red - green) < 60, "the second one shows a normal picture"
