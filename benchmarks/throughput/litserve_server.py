"""A server of anomalib with LitServe and its batching: waiting pictures of one size run together."""

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
        """Decodes the multipart field, which LitServe names `request`."""
        return self._model.decode(request.file.read())

    def batch(self, inputs: Sequence[Tensor]) -> Tensor:
        """Stacks pictures of one size."""
        return torch.stack(list(inputs))

    def predict(self, pictures: Tensor) -> Tensor:
        """Returns the raw scores, [N]."""
        return self._model.predict(pictures)[0]

    def unbatch(self, output: Tensor) -> list[float]:
        """Returns one score per picture."""
        scores: list[float] = output.tolist()
        return scores

    def encode_response(self, output: float) -> dict[str, object]:
        """Returns the score and the label."""
        return self._model.describe(output)


if __name__ == "__main__":
    api = AnomalibApi(max_batch_size=BATCH, batch_timeout=WAIT_S)
    litserve.LitServer(api, accelerator="cpu", timeout=False).run(
        host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False
    )
