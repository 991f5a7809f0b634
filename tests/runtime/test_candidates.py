import pytest
import torch

from app.errors import InvalidDevice
from app.runtime import Precision, RunOptions, build_network, candidates, precisions, trace
from app.runtime.cuda import captured_size
from app.runtime.hardware import fast_precision
from app.torch_private import fused_kernels_exist
from tests.runtime.conftest import Build

CPU = torch.device("cpu")


def test_auto_tries_the_fast_precision_of_the_hardware_first() -> None:
    fast = fast_precision(CPU)
    expected = ("float32",) if fast is None else (fast, "float32")
    assert precisions("auto", CPU) == expected
    assert precisions(Precision.float32, CPU) == (Precision.float32,)


def test_an_emulated_precision_is_refused_with_the_supported_one() -> None:
    with pytest.raises(InvalidDevice, match=r"\bfloat16\b.*\bcpu\b.*\bfloat32\b"):
        precisions(Precision.float16, CPU)


def test_a_network_has_the_precision_and_the_kernels_of_its_candidate(build: Build) -> None:
    program = trace(build("patchcore", "resnet18"))
    for candidate in candidates(program, CPU, RunOptions(), (64, 64)):
        network = build_network(program, candidate, (64, 64))
        assert (network.precision, network.kernels) == ("float32", candidate.kernels)


def test_winograd_is_a_candidate_where_it_applies(build: Build) -> None:
    program = trace(build("patchcore", "resnet18"))
    kernels = {
        size: [each.kernels for each in candidates(program, CPU, RunOptions(), size)]
        for size in ((256, 256), (32, 32), None)
    }
    expected = ["fused", "plain"] if fused_kernels_exist() else ["plain"]
    assert kernels[32, 32] == kernels[None] == expected
    assert kernels[256, 256] == (["winograd", *expected] if fused_kernels_exist() else expected)


@pytest.mark.skipif(fast_precision(CPU) is None, reason="this processor computes float32 only")
def test_half_precision_is_computed_only_by_kernels_that_do_not_round_the_tiles(build: Build) -> None:
    found = candidates(trace(build("stfpm", "resnet18")), CPU, RunOptions(precision="auto"), (256, 256))
    assert [each.kernels for each in found if each.precision != "float32"] == ["fused"]
    assert [each.kernels for each in found if each.precision == "float32"] == ["winograd", "fused", "plain"]


def test_graphs_are_captured_for_powers_of_two() -> None:
    assert [captured_size(tiles) for tiles in (1, 2, 3, 4, 5, 32, 33)] == [1, 2, 4, 4, 8, 32, 64]
