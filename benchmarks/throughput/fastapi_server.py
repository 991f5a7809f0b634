"""A typical server of anomalib with FastAPI: decoding in threads, and a lock around the model.

The lock is needed because anomalib's tiler stores the geometry of the last picture.
"""

import io
import sys
from pathlib import Path
from threading import Lock

import numpy as np
import uvicorn
from fastapi import FastAPI, Response, UploadFile

from benchmarks.throughput.reference_model import ReferenceModel


def build(path: Path) -> FastAPI:
    """The application for one model."""
    app, lock, model = FastAPI(), Lock(), ReferenceModel(path)

    @app.get("/readyz")
    def ready() -> None:
        """Answers 200 once the model is loaded."""

    @app.post("/predict")
    def predict(image: UploadFile) -> dict[str, object]:
        """Returns the score and the label."""
        picture = model.decode(image.file.read())
        with lock:
            scores, _ = model.predict(picture[None])
        return model.describe(float(scores[0]))

    @app.post("/map")
    def anomaly_map(image: UploadFile) -> Response:
        """Returns the map as an npy file, for the comparison."""
        picture = model.decode(image.file.read())
        with lock:
            _, maps = model.predict(picture[None])
        file = io.BytesIO()
        np.save(file, maps[0].numpy())
        return Response(file.getvalue())

    return app


if __name__ == "__main__":
    uvicorn.run(build(Path(sys.argv[1])), host="127.0.0.1", port=int(sys.argv[2]), log_level="warning")
