from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from app.detectors import GradientDetector, ReverseDistillation, Stfpm
from app.pipeline import Prepared, Preprocessing, TiledModel
from app.tiling import Blend, Tiling, untile
from app.training.backpropagation import Backpropagation, grouped, untouched_statistics

DETECTORS = {"stfpm": Stfpm, "reverse_distillation": ReverseDistillation}
APART = Tiling(tile_size=64)
OVERLAPPING = Tiling(tile_size=64, stride=32, blend=Blend.gaussian, halo=16)


def build(name: str, tiling: Tiling) -> tuple[TiledModel, GradientDetector]:
    torch.manual_seed(0)
    detector = DETECTORS[name]("resnet18", pre_trained=False)
    model = TiledModel(detector, Preprocessing(None), tiling)
    for network in detector.learners:
        for module in network.modules():
            if isinstance(module, nn.BatchNorm2d):  # a weight of zero would stop gradients
                nn.init.uniform_(module.weight, 0.5, 1.5)
    return model, detector


def pictures(model: TiledModel, *sizes: tuple[int, int]) -> list[Prepared]:
    generator = torch.Generator().manual_seed(1)
    return [model.prepare(torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=generator)) for size in sizes]


def gradients(detector: GradientDetector) -> list[Tensor]:
    parameters = [each for network in detector.learners for each in network.parameters()]
    found = [each.grad.clone() for each in parameters if each.grad is not None]
    detector.zero_grad(set_to_none=True)
    return found


def plain_loss(model: TiledModel, detector: GradientDetector, prepared: list[Prepared]) -> Tensor:
    """The loss by its definition: all tiles of all pictures in one batch, stitched by `untile`."""
    tiles = torch.cat([model.cut(each, range(each.plan.count)) for each in prepared])
    targets = detector.targets(tiles)
    predictions = detector.predictions(tiles, targets)
    losses, first = [], 0
    for each in prepared:
        own = slice(first, first + each.plan.count)
        first = own.stop
        losses.append(
            detector.loss(
                *(tuple(untile(feature[own], each.plan)[0] for feature in side) for side in (targets, predictions))
            )
        )
    stacked = torch.stack(losses)
    return stacked.mean() if detector.reduction == "mean" else stacked.sum()


def backpropagate(loss: Tensor) -> None:
    loss.backward()  # type: ignore[no-untyped-call]  # torch's


@pytest.mark.parametrize("name", sorted(DETECTORS))
@pytest.mark.parametrize(("tiling", "batch_tiles"), [(APART, 100), (APART, 3), (OVERLAPPING, 4), (OVERLAPPING, 3)])
def test_the_gradient_does_not_depend_on_how_tiles_are_batched(name: str, tiling: Tiling, batch_tiles: int) -> None:
    """The statistics of batch norms are fixed: otherwise they would depend on the tiles that run together."""
    model, detector = build(name, tiling)
    detector.eval()
    prepared = pictures(model, (100, 130), (64, 64))
    expected_loss = plain_loss(model, detector, prepared)
    backpropagate(expected_loss)
    expected = gradients(detector)
    loss = Backpropagation(model, batch_tiles, nullcontext).step(prepared, backpropagate)
    assert loss == pytest.approx(float(expected_loss.detach()), rel=1e-5)
    found = gradients(detector)
    assert len(found) == len(expected) > 0
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-5 * float(other.abs().max()) + 1e-7)


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_a_picture_in_parts_updates_the_running_statistics_once_per_part(name: str) -> None:
    model, detector = build(name, Tiling(tile_size=64))
    detector.train()
    norm = next(module for module in detector.learners[0].modules() if isinstance(module, nn.BatchNorm2d))
    Backpropagation(model, 2, nullcontext).step(pictures(model, (64, 256)), backpropagate)
    assert norm.num_batches_tracked == 2  # four tiles, two at a time


def test_the_loss_alone_leaves_no_gradient_and_changes_no_state() -> None:
    model, detector = build("stfpm", Tiling(tile_size=64))
    before = {key: tensor.clone() for key, tensor in detector.state_dict().items()}
    (picture,) = pictures(model, (70, 90))
    loss = Backpropagation(model, 3, nullcontext).loss(picture)
    assert loss == pytest.approx(float(plain_loss(model, detector, [picture]).detach()), rel=1e-5)
    assert not gradients(detector)
    assert all(torch.equal(before[key], tensor) for key, tensor in detector.state_dict().items())


def test_statistics_are_tracked_again_even_after_an_error() -> None:
    norm = nn.BatchNorm2d(2)
    with pytest.raises(KeyError), untouched_statistics([norm]):
        norm(torch.randn(3, 2, 4, 4))
        raise KeyError
    assert norm.track_running_stats
    assert norm.num_batches_tracked == 0


def test_whole_pictures_share_a_batch_as_long_as_their_tiles_fit() -> None:
    model, _ = build("stfpm", Tiling(tile_size=64))
    prepared = pictures(model, (64, 64), (64, 128), (64, 64), (128, 256), (64, 64))
    counts = [[each.plan.count for each in group] for group in grouped(prepared, 4)]
    assert counts == [[1, 2, 1], [8], [1]]


def test_untiled_pictures_of_different_sizes_do_not_share_a_batch() -> None:
    model, _ = build("stfpm", Tiling(enable=False))
    prepared = pictures(model, (64, 64), (64, 64), (64, 96))
    assert [len(group) for group in grouped(prepared, 8)] == [2, 1]
