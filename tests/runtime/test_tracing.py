import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from app.runtime.program import Concatenation, Convolution, MaxPool
from app.runtime.shapes import peak_bytes, shapes
from app.runtime.tracing import trace
from tests.runtime.conftest import Build


def test_batch_norm_addition_and_rectification_become_part_of_convolutions(build: Build) -> None:
    program = trace(build("patchcore", "resnet18"))
    kinds = [type(step) for step in program.steps]
    assert kinds.count(MaxPool) == 1
    assert kinds.count(Convolution) == len(kinds) - 1 == 1 + 3 * 4 + 2
    convolutions = [step for step in program.steps if isinstance(step, Convolution)]
    assert all(step.norm is not None for step in convolutions)
    assert sum(step.add is not None for step in convolutions) == 6  # one per block


def test_reverse_distillation_has_a_concatenation_and_transposed_convolutions(build: Build) -> None:
    program = trace(build("reverse_distillation", "resnet18"))
    assert sum(isinstance(step, Concatenation) for step in program.steps) == 1
    assert any(isinstance(step, Convolution) and step.transposed for step in program.steps)


@pytest.mark.parametrize("name", ["stfpm", "reverse_distillation"])
def test_shapes_are_those_of_the_outputs(build: Build, name: str) -> None:
    detector = build(name, "resnet18")
    program = trace(detector)
    found = shapes(program, (64, 96))
    outputs = detector.network(torch.randn(1, 3, 64, 96))
    assert [found[number] for number in program.outputs] == [tuple(output.shape[1:]) for output in outputs]
    assert peak_bytes(program, (64, 96), 4) >= 4 * sum(output.numel() for output in outputs)
    assert peak_bytes(program, (64, 96), 2) * 2 == peak_bytes(program, (64, 96), 4)


def test_a_step_that_no_runtime_knows_is_named(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = build("patchcore", "resnet18")
    monkeypatch.setattr(type(detector), "network", lambda self, tiles: (torch.sigmoid(tiles),))
    with pytest.raises(NotImplementedError, match="sigmoid"):
        trace(detector)


def test_limits_and_padding_become_part_of_convolutions(build: Build) -> None:
    program = trace(build("patchcore", "efficientnet_lite0"))
    assert all(isinstance(step, Convolution) for step in program.steps)
    convolutions = [step for step in program.steps if isinstance(step, Convolution)]
    assert {step.limit for step in convolutions if step.relu} == {6.0}
    assert sum(step.add is not None for step in convolutions) == 6  # stages 2 to 5 have 1, 1, 2 and 2 shortcuts
    padded = [step for step in convolutions if any(step.extra)]
    assert len(padded) == 4  # the stem, and the first blocks of stages 2, 3 and 4
    outputs = build("patchcore", "efficientnet_lite0").network(torch.randn(1, 3, 65, 51))
    assert [shapes(program, (65, 51))[number] for number in program.outputs] == [each.shape[1:] for each in outputs]


@pytest.mark.parametrize("extra", [(0, 2, 0, 2), (1, 3, 0, 0), (3, 1, 2, 2), (0, 0, 2, 0)])
@pytest.mark.parametrize("groups", [1, 4])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_folded_kernel_pads_as_its_step_says(extra: tuple[int, int, int, int], groups: int, stride: int) -> None:
    torch.manual_seed(0)
    module = nn.Conv2d(4, 8, 3, stride, groups=groups).requires_grad_(False)
    step = Convolution(0, module, extra=extra)
    weight, bias = step.folded()
    assert step.kernel_size == weight.shape[-2:]
    for size in ((16, 12), (15, 13)):
        x = torch.randn(2, 4, *size)
        found = F.conv2d(x, weight, bias, stride, step.padding, groups=groups)
        torch.testing.assert_close(found, module(F.pad(x, extra)))


class Padded(nn.Module):
    """A padding whose result has another use than a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.pad, self.convolution = nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        padded = self.pad(x)
        return torch.cat([self.convolution(self.pad(padded)), padded], 1)


def test_a_padded_value_that_no_convolution_takes_is_not_lowered(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = build("patchcore", "resnet18")
    detector.padded = Padded()
    monkeypatch.setattr(type(detector), "network", lambda self, tiles: (self.padded(tiles),))
    with pytest.raises(NotImplementedError, match="pad"):
        trace(detector)
