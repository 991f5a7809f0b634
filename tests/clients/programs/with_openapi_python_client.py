"""Uses every operation by the client of openapi-python-client: with_openapi_python_client.py URL DEFECT NORMAL"""

import io
import os
import struct
import sys
from pathlib import Path

from tessera_client import AuthenticatedClient
from tessera_client.api.models import get_model, get_model_health, list_models, reload_all, reload_model
from tessera_client.api.predictions import anomaly_map, heatmap, predict, predict_batch
from tessera_client.api.probes import livez, metrics, readyz
from tessera_client.models import (
    BatchBody,
    HeatmapStyle,
    Include,
    Label,
    MapFormat,
    ModelBody,
    ModelHealthBody,
    ModelReloadBody,
    PictureForm,
    PicturesForm,
    PredictionBody,
    ProblemBody,
    ProblemCode,
    ReloadBody,
)
from tessera_client.types import File

url, defect, normal = sys.argv[1], Path(sys.argv[2]).read_bytes(), Path(sys.argv[3]).read_bytes()
client = AuthenticatedClient(base_url=url, token=os.environ["TESSERA_KEY"])


def file(content: bytes) -> File:
    """A picture to upload."""
    return File(payload=io.BytesIO(content), file_name="picture.png", mime_type="image/png")


found = predict.sync("default", client=client, body=PictureForm(image=file(defect)), include=[Include.INCLUDE_TILES])
assert isinstance(found, PredictionBody)
assert found.label is Label.ANOMALOUS and found.regions and found.tiles.count == len(found.tiles.items or [])
nothing = predict.sync("default", client=client, body=PictureForm(image=file(normal)))
assert isinstance(nothing, PredictionBody) and nothing.label is Label.NORMAL and nothing.regions == []

drawn = heatmap.sync("default", client=client, body=PictureForm(image=file(defect)), style=HeatmapStyle.MASK)
assert isinstance(drawn, File)
png = drawn.payload.read()
assert png[:8] == b"\x89PNG\r\n\x1a\n"
assert struct.unpack(">II", png[16:24]) == (found.image.width, found.image.height)

measured = anomaly_map.sync("default", client=client, body=PictureForm(image=file(defect)), format_=MapFormat.NPY)
assert isinstance(measured, File)
npy = measured.payload.read()
assert npy[:6] == b"\x93NUMPY" and len(npy) >= 4 * found.image.width * found.image.height

refused = predict.sync("default", client=client, body=PictureForm(image=file(b"no picture")))
assert isinstance(refused, ProblemBody)
assert refused.code is ProblemCode.UNSUPPORTED_IMAGE and refused.status == 415
unknown = get_model.sync("none", client=client)
assert isinstance(unknown, ProblemBody) and unknown.code is ProblemCode.MODEL_NOT_FOUND

pictures = PicturesForm(images=[file(defect), file(b"no picture"), file(normal)])
batch = predict_batch.sync("default", client=client, body=pictures)
assert isinstance(batch, BatchBody) and [each.index for each in batch.items] == [0, 1, 2]
first, second, third = batch.items
assert isinstance(first.prediction, PredictionBody) and first.prediction.score == found.score
assert isinstance(second.problem, ProblemBody) and second.problem.code is ProblemCode.UNSUPPORTED_IMAGE
assert isinstance(third.prediction, PredictionBody) and third.prediction.label is Label.NORMAL

reloaded = reload_model.sync("default", client=client)
assert isinstance(reloaded, ModelReloadBody) and reloaded.newest == found.model.version and reloaded.added == []
everything = reload_all.sync(client=client)
assert isinstance(everything, ReloadBody) and [each.name for each in everything.models] == [reloaded.name]

known = get_model.sync("default", client=client)
assert isinstance(known, ModelBody) and known.name == found.model.name and known.live == found.model.version
health = get_model_health.sync("default", client=client)
assert isinstance(health, ModelHealthBody) and health.version == known.live
listed = list_models.sync(client=client)
assert (
    not isinstance(listed, ProblemBody) and listed is not None and [each.name for each in listed.models] == [known.name]
)
alive, ready = livez.sync(client=client), readyz.sync(client=client)
assert alive is not None and not isinstance(alive, ProblemBody) and alive.alive
assert ready is not None and not isinstance(ready, ProblemBody) and ready.ready
text = metrics.sync(client=client)
assert isinstance(text, str) and "tessera_" in text

for token, code in (
    ("wrong", ProblemCode.INVALID_KEY),
    (os.environ["TESSERA_PREDICT_KEY"], ProblemCode.INSUFFICIENT_SCOPE),
):
    denied = reload_all.sync(client=AuthenticatedClient(base_url=url, token=token))
    assert isinstance(denied, ProblemBody) and denied.code is code
