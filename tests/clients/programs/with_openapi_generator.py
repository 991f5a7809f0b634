"""Uses every operation by the client of openapi-generator: with_openapi_generator.py URL DEFECT NORMAL"""

import os
import struct
import sys
from pathlib import Path

from tessera_openapi import (
    ApiClient,
    Configuration,
    HeatmapStyle,
    Include,
    Label,
    MapFormat,
    ModelsApi,
    PredictionsApi,
    ProbesApi,
    ProblemBody,
    ProblemCode,
)
from tessera_openapi.exceptions import ApiException, NotFoundException

url, defect, normal = sys.argv[1], Path(sys.argv[2]).read_bytes(), Path(sys.argv[3]).read_bytes()
client = ApiClient(Configuration(host=url, access_token=os.environ["TESSERA_KEY"]))
predictions, models, probes = PredictionsApi(client), ModelsApi(client), ProbesApi(client)

found = predictions.predict("default", defect, include=[Include.INCLUDE_TILES])
assert found.label is Label.ANOMALOUS and found.regions and found.tiles.count == len(found.tiles.items or [])
part = predictions.predict("default", defect, roi=[64, 0, 256, 192])
assert part.roi is not None and (part.roi.x, part.roi.height) == (64, 192) and part.tiles.count < found.tiles.count
nothing = predictions.predict("default", normal)
assert nothing.label is Label.NORMAL and nothing.regions == []

png = bytes(predictions.heatmap("default", defect, style=HeatmapStyle.MASK))
assert png[:8] == b"\x89PNG\r\n\x1a\n"
assert struct.unpack(">II", png[16:24]) == (found.image.width, found.image.height)
npy = bytes(predictions.anomaly_map("default", defect, format=MapFormat.NPY))
assert npy[:6] == b"\x93NUMPY" and len(npy) >= 4 * found.image.width * found.image.height

try:
    predictions.predict("default", b"no picture")
except ApiException as error:
    assert error.status == 415 and isinstance(error.data, ProblemBody)
    assert error.data.code is ProblemCode.UNSUPPORTED_IMAGE
else:
    raise AssertionError("bytes that are not a picture were accepted")
try:
    models.get_model("none")
except NotFoundException as missing:
    assert isinstance(missing.data, ProblemBody) and missing.data.code is ProblemCode.MODEL_NOT_FOUND
else:
    raise AssertionError("a model that does not exist was found")

batch = predictions.predict_batch("default", [defect, b"no picture", normal])
assert [each.index for each in batch.items] == [0, 1, 2]
first, second, third = batch.items
assert first.prediction is not None and first.prediction.score == found.score
assert second.problem is not None and second.problem.code is ProblemCode.UNSUPPORTED_IMAGE
assert third.prediction is not None and third.prediction.label is Label.NORMAL

reloaded = models.reload_model("default")
assert reloaded.newest == found.model.version and reloaded.added == []
assert [each.name for each in models.reload_all().models] == [reloaded.name]

known = models.get_model("default")
assert known.name == found.model.name and known.live == found.model.version
assert models.get_model_health("default").version == known.live
assert [each.name for each in models.list_models().models] == [known.name]
assert probes.livez().alive and probes.readyz().ready
assert "tessera_" in probes.metrics()

for token, code in (
    ("wrong", ProblemCode.INVALID_KEY),
    (os.environ["TESSERA_PREDICT_KEY"], ProblemCode.INSUFFICIENT_SCOPE),
):
    try:
        ModelsApi(ApiClient(Configuration(host=url, access_token=token))).reload_all()
    except ApiException as denied:
        assert isinstance(denied.data, ProblemBody) and denied.data.code is code
    else:
        raise AssertionError("a key that does not allow a reload was accepted")
