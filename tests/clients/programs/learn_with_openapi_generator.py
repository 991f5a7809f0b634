"""Trains and teaches a model by the client of openapi-generator: learn_with_openapi_generator.py URL FOLDER

FOLDER has `normal-00.png` to `normal-11.png`, of one size, and `defect.png`.
"""

import os
import sys
import time
from hashlib import sha256
from pathlib import Path

from tessera_openapi import (
    ApiClient,
    Configuration,
    DecisionRequestBody,
    ModelsApi,
    PredictionsApi,
    ProblemBody,
    ProblemCode,
    ReviewLabel,
    ReviewRequestBody,
    ReviewsApi,
    ShadowRequestBody,
    ShadowState,
    TeachingDecision,
    TeachingsApi,
    TeachingState,
    TeachRequestBody,
    TrainingsApi,
    TrainingState,
)
from tessera_openapi.exceptions import ApiException, NotFoundException

NAME = "lid-python"
url, folder = sys.argv[1], Path(sys.argv[2])
normal = [path.read_bytes() for path in sorted(folder.glob("normal-*.png"))]
defect = (folder / "defect.png").read_bytes()
client = ApiClient(Configuration(host=url, access_token=os.environ["TESSERA_KEY"]))
models, predictions, reviews = ModelsApi(client), PredictionsApi(client), ReviewsApi(client)
trainings, teachings = TrainingsApi(client), TeachingsApi(client)

training = trainings.train_first_model(NAME, [*normal[:10]])
assert training.state is TrainingState.TRAININGSTATE_RUNNING and training.pictures == 10
assert "event: training" in trainings.get_training_events(training.id)  # returns when the training has ended
training = trainings.get_training(training.id)
assert training.state is TrainingState.TRAININGSTATE_DONE and training.version == 1, training.error
assert training.id in [each.id for each in trainings.list_trainings(limit=100).trainings]
assert bytes(models.normal_picture(NAME, 0))[:2] == b"\xff\xd8"

for sent in (*normal[10:], defect):
    predictions.predict(NAME, sent)
kept = reviews.list_pictures(model=NAME, limit=100)
while len(kept.pictures) < 3:  # pictures are kept after their answers
    time.sleep(0.05)
    kept = reviews.list_pictures(model=NAME, limit=100)
for kept_picture in kept.pictures:
    is_defect = kept_picture.sha256 == sha256(defect).hexdigest()
    label = ReviewLabel.DEFECT if is_defect else ReviewLabel.HARMLESS
    reviewed = reviews.put_review(kept_picture.id, kept_picture.etag, ReviewRequestBody(label=label))
    assert reviewed.review is not None and reviewed.review.label is label
old = kept.pictures[0]
picture = reviews.get_picture(old.id)
assert picture.etag != old.etag and picture.review is not None
try:
    reviews.put_review(picture.id, old.etag, ReviewRequestBody(label=ReviewLabel.UNSURE))
except ApiException as error:
    assert error.status == 412 and isinstance(error.data, ProblemBody)
    assert error.data.code is ProblemCode.REVIEW_CONFLICT
else:
    raise AssertionError("a review replaced another one that the client had not read")
assert sha256(bytes(reviews.get_picture_file(picture.id))).hexdigest() == picture.sha256
assert bytes(reviews.get_picture_shown(picture.id))[:4] == b"\x89PNG"
assert bytes(reviews.get_picture_heatmap(picture.id))[:4] == b"\x89PNG"

teaching = teachings.teach_model(NAME, TeachRequestBody(false_positive_rate=0.2, second_stage=False))
assert teaching.state is TeachingState.TEACHINGSTATE_RUNNING and teaching.proof is None
assert "event: teaching" in teachings.get_teaching_events(teaching.id)
teaching = teachings.get_teaching(teaching.id)
assert teaching.state is TeachingState.TEACHINGSTATE_PROPOSED and teaching.proof is not None, teaching.error
assert teaching.proof.reviewed == 3 and teaching.version is not None
assert [each.id for each in teachings.list_teachings(model=NAME).teachings] == [teaching.id]

started = models.start_model_shadow(NAME, ShadowRequestBody(version=teaching.version, pictures=100)).shadow
assert started is not None and started.state is ShadowState.SHADOWSTATE_RUNNING and started.served == 1
shadow = models.get_model_shadow(NAME).shadow
assert shadow is not None and shadow.version == teaching.version
stopped = models.stop_model_shadow(NAME).shadow
assert stopped is not None and stopped.state is ShadowState.SHADOWSTATE_STOPPED

promoted = teachings.decide_teaching(teaching.id, DecisionRequestBody(decision=TeachingDecision.PROMOTE))
assert promoted.state is TeachingState.TEACHINGSTATE_SERVED and models.get_model(NAME).live == teaching.version
back = teachings.decide_teaching(teaching.id, DecisionRequestBody(decision=TeachingDecision.ROLLBACK))
assert back.state is TeachingState.TEACHINGSTATE_ROLLED_BACK and models.get_model(NAME).live == 1

zones = models.get_model_zones_with_http_info(NAME)
assert zones.headers is not None and zones.data.features == []
corners = [[0, 0], [64, 0], [64, 64], [0, 64], [0, 0]]
clamp = {
    "type": "Feature",
    "geometry": {"type": "Polygon", "coordinates": [corners]},
    "properties": {"name": "clamp", "ignore": True},
}
drawn = {"type": "FeatureCollection", "image": {"width": 256, "height": 256}, "features": [clamp]}
written = models.put_model_zones(NAME, zones.headers["etag"], drawn)
assert written.written and written.zones[0].name == "clamp"
read = models.get_model_zones(NAME, version=written.version)
assert read.features[0].properties.name == "clamp" and read.features[0].geometry.coordinates == [corners]

picture = reviews.delete_review(picture.id, picture.etag)
assert picture.review is None
reviews.delete_picture(picture.id, picture.etag)
teachings.delete_teaching(teaching.id)
trainings.delete_training(training.id)
try:
    trainings.get_training(training.id)
except NotFoundException as missing:
    assert isinstance(missing.data, ProblemBody) and missing.data.code is ProblemCode.TRAINING_NOT_FOUND
else:
    raise AssertionError("a deleted training was found")
