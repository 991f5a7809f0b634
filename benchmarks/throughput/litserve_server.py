"""anomalib behind LitServe, with its batching: pictures of one size that wait are run together."""

import sys
from collections.abc import Sequence
from pathlib import Path

import litserve
import torch
from fastapi import UploadFile
from torch import Tensor

from benchmarks.throughput.reference_model import ReferenceModel

BATCH, WAIT_S = 4, 0.05


class AnomalibApi(litserve.LitAPI):  # type: ignore[misc]  # LitServe has no types
    """Decodes, predicts in batches, and answers with score and label."""

    def setup(self, device: str) -> None:
        """Loads the model in the worker's process."""
        self._model = ReferenceModel(Path(sys.argv[1]))

    def decode_request(self, request: UploadFile) -> Tensor:
        """The multipart field `request`, which is what LitServe calls it."""
        return self._model.decode(request.file.read())

    def batch(self, inputs: Sequence[Tensor]) -> Tensor:
        """Pictures of one size, together."""
        return torch.stack(list(inputs))

    def predict(self, pictures: Tensor) -> Tensor:
        """Raw scores."""
        return self._model.predict(pictures)[0]

    def unbatch(self, output: Tensor) -> list[float]:
        """A score a picture."""
        scores: list[float] = output.tolist()
        return scores

    def encode_response(self, output: float) -> dict[str, object]:
        """Score and label."""
        return self._model.describe(output)


if __name__ == "__main__":
    api = AnomalibApi(max_batch_size=BATCH, batch_timeout=WAIT_S)
    litserve.LitServer(api, accelerator="cpu", timeout=False).run(
        host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False
    )
