import pytest
import torch

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
