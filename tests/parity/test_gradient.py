"""Steps of gradient descent equal those of anomalib's models, losses and optimizers."""

from contextlib import nullcontext
from typing import Any

import pytest
import torch
from anomalib.data.utils.tiler import Tiler as Reference
from anomalib.models import ReverseDistillation as ReferenceReverseDistillation
from anomalib.models import Stfpm as ReferenceStfpm
from torch import Tensor

from app.detectors import GradientDetector, ReverseDistillation, Stfpm
from app.pipeline import Preprocessing, TiledModel
from app.tiling import Tiling
from app.training.backpropagation import Backpropagation
from tests.parity.conftest import without_downloads

SIZE = (128, 192)
TILINGS = [Tiling(tile_size=64), Tiling(tile_size=64, stride=32), Tiling(True, [128, 64], 64), Tiling(enable=False)]
STEPS = 3


def backpropagate(loss: Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call]  # torch's


def new_detector(name: str) -> GradientDetector:
    return Stfpm("resnet18") if name == "stfpm" else ReverseDistillation("resnet18")


def pair(name: str) -> tuple[Any, GradientDetector]:
    """anomalib's module and our detector with the same weights."""
    torch.manual_seed(0)
    with without_downloads():
        theirs: Any = ReferenceStfpm("resnet18") if name == "stfpm" else ReferenceReverseDistillation("resnet18")
    ours = new_detector(name)
    frozen, learning = ("teacher_model", "student_model") if name == "stfpm" else ("encoder", None)
    state = {}
    for key, tensor in theirs.model.state_dict().items():
        part, _, rest = key.partition(".")
        renamed = {frozen: "backbone", learning: "student"}.get(part, part)
        state[f"{renamed}.{rest.removeprefix('feature_extractor.')}"] = tensor.clone()
    known = ours.state_dict().keys()
    ours.load_state_dict({key: tensor for key, tensor in state.items() if key in known})
    return theirs, ours


@pytest.mark.parametrize("name", ["reverse_distillation", "stfpm"])
@pytest.mark.parametrize("tiling", TILINGS, ids=str)
def test_losses_and_weights_follow_the_reference(name: str, tiling: Tiling) -> None:
    theirs, ours = pair(name)
    theirs.model.tiler = Reference(tiling.tile_size, tiling.stride) if tiling.enable else None
    model = TiledModel(ours, Preprocessing(SIZE), tiling)
    theirs.train(), ours.train()
    optimizers = theirs.configure_optimizers(), ours.optimizer()
    generator = torch.Generator().manual_seed(1)
    for step in range(STEPS):
        pictures = torch.randint(0, 256, (3, 3, *SIZE), dtype=torch.uint8, generator=generator)
        for optimizer in optimizers:
            optimizer.zero_grad()
        expected = theirs.loss(*theirs.model(theirs.pre_processor.transform.transforms[-1](pictures / 255)))
        expected.backward()
        prepared = [model.prepare(each) for each in pictures]
        loss = Backpropagation(model, 1000, nullcontext).step(prepared, backpropagate)
        for optimizer in optimizers:
            optimizer.step()
        # Adam divides small gradients by their own size, which enlarges their rounding errors.
        assert loss == pytest.approx(float(expected.detach()), rel=1e-3 if step else 1e-5)


@pytest.mark.parametrize("name", ["reverse_distillation", "stfpm"])
def test_initial_weights_are_drawn_from_the_same_distributions(name: str) -> None:
    _, reference = pair(name)
    torch.manual_seed(1)
    fresh = new_detector(name)
    for network, again in zip(reference.learners, fresh.learners, strict=True):
        for (key, one), other in zip(network.named_parameters(), again.parameters(), strict=True):
            if one.numel() > 1000:
                assert float(other.detach().std()) == pytest.approx(float(one.detach().std()), rel=0.1), key
            else:
                torch.testing.assert_close(other, one)
