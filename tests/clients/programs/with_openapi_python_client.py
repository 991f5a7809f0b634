"""Every operation by the client of openapi-python-client: round_trip(URL, DEFECT, NORMAL)."""

import io
import struct
import sys
from pathlib import Path

from tessera_client import Client
from tessera_client.api.models import get_model, list_models
from tessera_client.api.predictions import anomaly_map, heatmap, predict
from tessera_client.api.probes import livez, metrics, readyz
from tessera_client.models import (
    BodyAnomalyMap,
    BodyHeatmap,
    BodyPredict,
    HeatmapStyle,
    Include,
    Label,
    MapFormat,
    ModelBody,
    PredictionBody,
    ProblemBody,
    ProblemCode,
)
from tessera_client.types import File

url, defect, normal = sys.argv[1], Path(sys.argv[2]).read_bytes(), Path(sys.argv[3]).read_bytes()
client = Client(base_url=url)


def file(content: bytes) -> File:
    """A picture to upload."""
    return File(payload=io.BytesIO(content), file_name="picture.png", mime_type="image/png")


found = predict.sync("default", client=client, body=BodyPredict(image=file(defect)), include=[Include.TILES])
assert isinstance(found, PredictionBody)
assert found.label is Label.ANOMALOUS and found.regions and found.tiles.count == len(found.tiles.items or [])
nothing = predict.sync("default", client=client, body=BodyPredict(image=file(normal)))
assert isinstance(nothing, PredictionBody) and nothing.label is Label.NORMAL and nothing.regions == []

drawn = heatmap.sync("default", client=client, body=BodyHeatmap(image=file(defect)), style=HeatmapStyle.MASK)
assert isinstance(drawn, File)
png = drawn.payload.read()
assert png[:8] == b"\x89PNG\r\n\x1a\n"
assert struct.unpack(">II", png[16:24]) == (found.image.width, found.image.height)

measured = anomaly_map.sync("default", client=client, body=BodyAnomalyMap(image=file(defect)), format_=MapFormat.NPY)
assert isinstance(measured, File)
npy = measured.payload.read()
assert npy[:6] == b"\x93NUMPY" and len(npy) >= 4 * found.image.width * found.image.height

refused = predict.sync("default", client=client, body=BodyPredict(image=file(b"no picture")))
assert isinstance(refused, ProblemBody)
assert refused.code is ProblemCode.UNSUPPORTED_IMAGE and refused.status == 415
unknown = get_model.sync("none", client=client)
assert isinstance(unknown, ProblemBody) and unknown.code is ProblemCode.MODEL_NOT_FOUND

known = get_model.sync("default", client=client)
assert isinstance(known, ModelBody) and known.name == found.model.name and known.newest == found.model.version
listed = list_models.sync(client=client)
assert (
    not isinstance(listed, ProblemBody) and listed is not None and [each.name for each in listed.models] == [known.name]
)
alive, ready = livez.sync(client=client), readyz.sync(client=client)
assert alive is not None and not isinstance(alive, ProblemBody) and alive.alive
assert ready is not None and not isinstance(ready, ProblemBody) and ready.ready
text = metrics.sync(client=client)
assert isinstance(text, str) and "tessera_" in text
