"""Every kind of kernels gives the output of the detector's own modules."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from app.detectors import Detector, Features
from app.runtime import Precision
from app.runtime.fused import fused_network
from app.runtime.network import Network
from app.runtime.plain import plain_network
from app.runtime.program import Program
from app.runtime.tracing import trace
from app.torch_private import fused_kernels_exist
from tests.building import WITH_BACKBONE
from tests.runtime.conftest import Build

SIZE = (64, 96)
NETWORKS: dict[str, Callable[[Program], Network]] = {
    "plain": lambda program: plain_network(program, Precision.float32),
}
HALF: dict[str, Callable[[Program], Network]] = {"plain": lambda program: plain_network(program, Precision.bfloat16)}
if fused_kernels_exist():
    NETWORKS["fused"] = lambda program: fused_network(program, Precision.float32, SIZE, winograd=True)
    NETWORKS["fused, of any size"] = lambda program: fused_network(program, Precision.float32, None, winograd=False)
    HALF["fused"] = lambda program: fused_network(program, Precision.bfloat16, SIZE, winograd=False)


def tiles(count: int = 3, size: tuple[int, int] = SIZE) -> Tensor:
    return torch.randn(count, 3, *size, generator=torch.Generator().manual_seed(1))


@torch.inference_mode()
def largest_difference(network: Network, detector: Detector, given: Tensor) -> float:
    """The largest difference between the network's outputs and the detector's, as a share of each output's maximum."""
    expected: Features = detector.network(given.clone())
    found = network(given)
    assert [each.shape for each in found] == [each.shape for each in expected]
    pairs = zip(found, expected, strict=True)
    return max(float((each.float() - own).abs().max() / own.abs().max()) for each, own in pairs)


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(
    ("name", "backbone"),
    [*((name, "resnet18") for name in WITH_BACKBONE), ("patchcore", "resnet50"), ("reverse_distillation", "resnet50")],
)
def test_a_network_gives_the_output_of_the_modules(build: Build, name: str, backbone: str, kind: str) -> None:
    detector = build(name, backbone)
    assert largest_difference(NETWORKS[kind](trace(detector)), detector, tiles()) < 1e-5


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("size", [SIZE, (65, 51)])
@pytest.mark.parametrize(("name", "backbone"), [("padim", "efficientnet_lite0"), ("patchcore", "efficientnet_lite2")])
def test_a_network_with_padding_and_limits_gives_the_output_of_the_modules(
    build: Build, name: str, backbone: str, size: tuple[int, int], kind: str
) -> None:
    detector = build(name, backbone)
    assert largest_difference(NETWORKS[kind](trace(detector)), detector, tiles(2, size)) < 1e-5


@pytest.mark.parametrize("kind", HALF)
def test_a_lite_network_in_half_precision_gives_almost_the_same_output(build: Build, kind: str) -> None:
    detector = build("patchcore", "efficientnet_lite0")
    assert largest_difference(HALF[kind](trace(detector)), detector, tiles()) < 5e-2


@pytest.mark.parametrize("kind", HALF)
@pytest.mark.parametrize("name", WITH_BACKBONE)
def test_half_precision_gives_almost_the_same_output(build: Build, name: str, kind: str) -> None:
    detector = build(name, "resnet18")
    network = HALF[kind](trace(detector))
    assert network.precision == "bfloat16"
    assert all(each.dtype == torch.bfloat16 for each in network(tiles()))
    assert largest_difference(network, detector, tiles()) < 3e-2


@pytest.mark.skipif(not fused_kernels_exist(), reason="no fused kernels for this processor")
@pytest.mark.parametrize("name", WITH_BACKBONE)
def test_tiles_that_are_large_enough_for_winograd_give_the_same_output(build: Build, name: str) -> None:
    detector, size = build(name, "resnet18"), (256, 256)
    network = fused_network(trace(detector), Precision.float32, size, winograd=True)
    assert largest_difference(network, detector, tiles(2, size)) < 1e-5


@pytest.mark.skipif(not fused_kernels_exist(), reason="no fused kernels for this processor")
def test_in_half_precision_tiles_are_not_rounded(build: Build) -> None:
    network = HALF["fused"](trace(build("patchcore", "resnet18")))
    given = tiles().bfloat16().float()
    other = given * (1 + 2**-10)
    assert torch.equal(other.bfloat16(), given.bfloat16())
    assert not any(torch.equal(each, own) for each, own in zip(network(other), network(given), strict=True))


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize(("count", "size"), [(1, SIZE), (7, SIZE), (2, (128, 64)), (1, (65, 51))])
def test_batches_of_other_numbers_and_tile_sizes_are_accepted(
    build: Build, kind: str, count: int, size: tuple[int, int]
) -> None:
    detector = build("stfpm", "resnet18")
    assert largest_difference(NETWORKS[kind](trace(detector)), detector, tiles(count, size)) < 1e-5


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_detector_and_the_tiles_are_not_changed(build: Build, kind: str) -> None:
    detector, given = build("reverse_distillation", "resnet18"), tiles()
    before = {name: tensor.clone() for name, tensor in detector.state_dict().items()}
    NETWORKS[kind](trace(detector))(given)
    assert torch.equal(given, tiles())
    after = detector.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


@pytest.mark.parametrize("kind", NETWORKS)
def test_outputs_are_not_overwritten_by_the_next_batch(build: Build, kind: str) -> None:
    network = NETWORKS[kind](trace(build("patchcore", "resnet18")))
    first = network(tiles())
    kept = [each.clone() for each in first]
    network(-tiles())
    assert all(torch.equal(each, copy) for each, copy in zip(first, kept, strict=True))


def test_weights_can_be_released_once_a_network_has_its_own(build: Build) -> None:
    detector = build("stfpm", "resnet18")
    program = trace(detector)
    network = plain_network(program, Precision.float32)
    expected = network(tiles())
    program.release_weights()
    assert all(parameter.is_meta for parameter in detector.parameters())
    assert all(torch.equal(each, own) for each, own in zip(network(tiles()), expected, strict=True))


@pytest.mark.gpu
@pytest.mark.parametrize("name", WITH_BACKBONE)
def test_captured_cuda_graphs_give_the_same_output(build: Build, name: str) -> None:
    from app.runtime.cuda import CudaNetwork

    detector = build(name, "resnet18").to("cuda")
    network = CudaNetwork(trace(detector), Precision.float16, SIZE)
    for count in (1, 3, 8, 3):
        assert largest_difference(network, detector, tiles(count).cuda()) < 2e-2
    first = network(tiles(3).cuda())
    kept = [each.clone() for each in first]
    network(-tiles(3).cuda())
    assert all(torch.equal(each, copy) for each, copy in zip(first, kept, strict=True))
