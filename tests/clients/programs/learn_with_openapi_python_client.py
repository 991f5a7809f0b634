"""Trains and teaches a model by the client of openapi-python-client: learn_with_openapi_python_client.py URL FOLDER

FOLDER has `normal-00.png` to `normal-11.png`, of one size, and `defect.png`.
"""

import io
import os
import sys
import time
from hashlib import sha256
from pathlib import Path
from typing import TypeVar

import httpx
from tessera_client import AuthenticatedClient
from tessera_client.api.models import (
    get_model,
    get_model_shadow,
    get_model_zones,
    normal_picture,
    put_model_zones,
    start_model_shadow,
    stop_model_shadow,
)
from tessera_client.api.predictions import predict
from tessera_client.api.reviews import (
    delete_picture,
    delete_review,
    get_picture,
    get_picture_file,
    get_picture_heatmap,
    get_picture_shown,
    list_pictures,
    put_review,
)
from tessera_client.api.teachings import (
    decide_teaching,
    delete_teaching,
    get_teaching,
    get_teaching_events,
    list_teachings,
    teach_model,
)
from tessera_client.api.trainings import (
    delete_training,
    get_training,
    get_training_events,
    list_trainings,
    train_first_model,
)
from tessera_client.models import (
    DecisionRequestBody,
    FirstModelForm,
    KeptPictureBody,
    PictureForm,
    ProblemBody,
    ProblemCode,
    PutModelZonesBody,
    ReviewBody,
    ReviewLabel,
    ReviewRequestBody,
    ShadowBody,
    ShadowRequestBody,
    ShadowState,
    TeachingDecision,
    TeachingState,
    TeachRequestBody,
    TrainingState,
)
from tessera_client.types import UNSET, File

T = TypeVar("T")
NAME = "lid-python-client"
url, folder = sys.argv[1], Path(sys.argv[2])
normal = [path.read_bytes() for path in sorted(folder.glob("normal-*.png"))]
defect = (folder / "defect.png").read_bytes()
# Events come as long as the work lasts: a line at least every 15 s.
client = AuthenticatedClient(base_url=url, token=os.environ["TESSERA_KEY"], timeout=httpx.Timeout(60.0))


def file(content: bytes) -> File:
    """A picture to upload."""
    return File(payload=io.BytesIO(content), file_name="picture.png", mime_type="image/png")


def good(answer: T | ProblemBody | None) -> T:
    """The answer, which is not a problem."""
    assert answer is not None and not isinstance(answer, ProblemBody), answer
    return answer


training = good(train_first_model.sync(client=client, body=FirstModelForm(NAME, [file(each) for each in normal[:10]])))
assert training.state is TrainingState.TRAININGSTATE_RUNNING and training.pictures == 10
assert "event: training" in good(get_training_events.sync(training.id, client=client))  # returns when it has ended
training = good(get_training.sync(training.id, client=client))
assert training.state is TrainingState.TRAININGSTATE_DONE and training.version == 1, training.error
assert training.id in [each.id for each in good(list_trainings.sync(client=client, limit=100)).trainings]
assert good(normal_picture.sync(NAME, 0, client=client)).payload.read(2) == b"\xff\xd8"

for sent in (*normal[10:], defect):
    good(predict.sync(NAME, client=client, body=PictureForm(image=file(sent))))
kept = good(list_pictures.sync(client=client, model=NAME, limit=100))
while len(kept.pictures) < 3:  # pictures are kept after their answers
    time.sleep(0.05)
    kept = good(list_pictures.sync(client=client, model=NAME, limit=100))
for kept_picture in kept.pictures:
    is_defect = kept_picture.sha256 == sha256(defect).hexdigest()
    review = ReviewRequestBody(ReviewLabel.DEFECT if is_defect else ReviewLabel.HARMLESS)
    reviewed = good(put_review.sync(kept_picture.id, client=client, body=review, if_match=kept_picture.etag))
    assert isinstance(reviewed.review, ReviewBody) and reviewed.review.label is review.label
old = kept.pictures[0]
picture = good(get_picture.sync(old.id, client=client))
assert isinstance(picture, KeptPictureBody) and picture.etag != old.etag and isinstance(picture.review, ReviewBody)
refused = put_review.sync(old.id, client=client, body=ReviewRequestBody(ReviewLabel.UNSURE), if_match=old.etag)
assert isinstance(refused, ProblemBody)
assert refused.code is ProblemCode.REVIEW_CONFLICT and refused.status == 412
stored = good(get_picture_file.sync(picture.id, client=client)).payload.read()
assert sha256(stored).hexdigest() == picture.sha256
assert good(get_picture_shown.sync(picture.id, client=client)).payload.read(4) == b"\x89PNG"
assert good(get_picture_heatmap.sync(picture.id, client=client)).payload.read(4) == b"\x89PNG"

order = TeachRequestBody(false_positive_rate=0.2, second_stage=False)
teaching = good(teach_model.sync(NAME, client=client, body=order))
assert teaching.state is TeachingState.TEACHINGSTATE_RUNNING and teaching.proof is None
assert "event: teaching" in good(get_teaching_events.sync(teaching.id, client=client))
teaching = good(get_teaching.sync(teaching.id, client=client))
assert teaching.state is TeachingState.TEACHINGSTATE_PROPOSED and teaching.proof is not None, teaching.error
assert teaching.proof.reviewed == 3 and teaching.version is not None
assert [each.id for each in good(list_teachings.sync(client=client, model=NAME)).teachings] == [teaching.id]

comparison = ShadowRequestBody(version=teaching.version, pictures=100)
started = good(start_model_shadow.sync(NAME, client=client, body=comparison)).shadow
assert isinstance(started, ShadowBody) and started.state is ShadowState.SHADOWSTATE_RUNNING and started.served == 1
shadow = good(get_model_shadow.sync(NAME, client=client)).shadow
assert isinstance(shadow, ShadowBody) and shadow.version == teaching.version
stopped = good(stop_model_shadow.sync(NAME, client=client)).shadow
assert isinstance(stopped, ShadowBody) and stopped.state is ShadowState.SHADOWSTATE_STOPPED

for decision, state, live in (
    (TeachingDecision.PROMOTE, TeachingState.TEACHINGSTATE_SERVED, teaching.version),
    (TeachingDecision.ROLLBACK, TeachingState.TEACHINGSTATE_ROLLED_BACK, 1),
):
    decided = good(decide_teaching.sync(teaching.id, client=client, body=DecisionRequestBody(decision)))
    assert decided.state is state
    assert good(get_model.sync(NAME, client=client)).live == live

zones = get_model_zones.sync_detailed(NAME, client=client)
assert good(zones.parsed).features == []
corners = [[0, 0], [64, 0], [64, 64], [0, 64], [0, 0]]
clamp = {
    "type": "Feature",
    "geometry": {"type": "Polygon", "coordinates": [corners]},
    "properties": {"name": "clamp", "ignore": True},
}
drawn = PutModelZonesBody.from_dict(
    {"type": "FeatureCollection", "image": {"width": 256, "height": 256}, "features": [clamp]}
)
written = good(put_model_zones.sync(NAME, client=client, body=drawn, if_match=zones.headers["ETag"]))
assert written.written and written.zones[0].name == "clamp"
read = good(get_model_zones.sync(NAME, client=client, version=written.version)).features[0]
assert read.properties.name == "clamp" and read.geometry.coordinates == [corners]

unreviewed = good(delete_review.sync(picture.id, client=client, if_match=picture.etag))
assert unreviewed.review is UNSET
deleted = delete_picture.sync_detailed(picture.id, client=client, if_match=unreviewed.etag)
assert deleted.status_code == 204
assert delete_teaching.sync_detailed(teaching.id, client=client).status_code == 204
assert delete_training.sync_detailed(training.id, client=client).status_code == 204
missing = get_training.sync(training.id, client=client)
assert isinstance(missing, ProblemBody) and missing.code is ProblemCode.TRAINING_NOT_FOUND
