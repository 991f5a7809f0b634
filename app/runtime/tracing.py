"""Traces the network of a detector with torch.fx, and lowers it to a Program."""

import operator
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, cast

import torch
from torch import Tensor, fx, nn

from app.detectors import Detector, Features
from app.runtime.program import Concatenation, Convolution, MaxPool, Padding, Pair, Program, Step

ADDITIONS = (operator.add, operator.iadd, torch.add, "add", "add_")


def trace(detector: Detector) -> Program:
    """The program of a detector's network. The program shares the network's modules.

    Raises NotImplementedError for unknown steps, and for networks that torch.fx cannot trace.
    """
    try:
        return _Lowering(fx.symbolic_trace(_Forward(detector))).program()
    except NotImplementedError:
        raise
    except Exception as error:  # a module's code may raise anything when it gets torch.fx's proxies instead of tensors
        raise NotImplementedError(f"the network cannot be traced: {type(error).__name__}: {error}") from error


class _Forward(nn.Module):
    """A module whose forward pass is the network of a detector."""

    def __init__(self, detector: Detector) -> None:
        super().__init__()
        self.detector = detector

    def forward(self, tiles: Tensor) -> Features:
        return self.detector.network(tiles)


class _Lowering:
    """Turns the nodes of a graph into steps; batch norms, additions and rectifications become part of a convolution.

    In-place operations are treated like the others, after a check that the overwritten value has no other use.
    """

    def __init__(self, traced: fx.GraphModule) -> None:
        self._traced = traced
        self._steps: list[Step] = []
        self._values: dict[fx.Node, int] = {}
        self._padded: dict[fx.Node, tuple[int, Padding]] = {}  # values with padding, which only convolutions take

    def program(self) -> Program:
        outputs: tuple[int, ...] = ()
        for node in self._traced.graph.nodes:
            if node.op == "placeholder":
                self._values[node] = 0
            elif node.op == "output":
                outputs = tuple(self._values[each] for each in cast(Sequence[fx.Node], node.args[0]))
            elif node.op == "call_module":
                self._module(node, self._traced.get_submodule(str(node.target)))
            elif node.op in ("call_function", "call_method") and node.target in ADDITIONS:
                self._addition(node)
            elif node.target is torch.cat:
                self._concatenation(node)
            else:
                raise _unknown(node)
        return Program(tuple(self._steps), outputs)

    def _module(self, node: fx.Node, module: nn.Module) -> None:
        before = cast(fx.Node, node.args[0])
        if isinstance(module, nn.Identity) and len(before.users) == 1:
            self._values[node] = self._values[before]
        elif isinstance(module, nn.ZeroPad2d) and min(module.padding) >= 0:
            self._padded[node] = self._values[before], module.padding
        elif isinstance(module, nn.Conv2d) and before in self._padded:
            if module.padding != (0, 0) or module.dilation != (1, 1):
                raise _unknown(node)
            value, padding = self._padded[before]
            self._append(node, Convolution(value, module, extra=padding))
        elif isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            if module.padding_mode != "zeros" or isinstance(module.padding, str):
                raise _unknown(node)
            self._append(node, Convolution(self._values[before], module))
        elif isinstance(module, nn.BatchNorm2d):
            self._fuse(node, before, lambda step: step.norm is None, norm=module)
        elif isinstance(module, nn.ReLU):
            self._fuse(node, before, lambda _: True, relu=True)
        elif isinstance(module, nn.ReLU6):
            self._fuse(node, before, lambda _: True, relu=True, limit=float(module.max_val))
        elif isinstance(module, nn.MaxPool2d) and not module.ceil_mode and module.dilation == 1:
            sizes = (_pair(each) for each in (module.kernel_size, module.stride, module.padding))
            self._append(node, MaxPool(self._values[before], *sizes))
        else:
            raise _unknown(node)

    def _append(self, node: fx.Node, step: Step) -> None:
        self._steps.append(step)
        self._values[node] = len(self._steps)

    def _fuse(self, node: fx.Node, before: fx.Node, fits: Callable[[Convolution], bool], **changes: Any) -> None:
        """Fuses `node` into the convolution that computes its input, if the input has no other use."""
        number = self._values[before] - 1
        step = self._steps[number] if number >= 0 else None
        if not isinstance(step, Convolution) or step.relu or len(before.users) != 1 or not fits(step):
            raise _unknown(node)
        if "norm" in changes and step.add is not None:
            raise _unknown(node)
        self._steps[number] = replace(step, **changes)
        self._values[node] = number + 1

    def _addition(self, node: fx.Node) -> None:
        """Fuses an addition into the convolution that computes the later of the two values."""
        if len(node.args) != 2 or node.kwargs or not all(isinstance(each, fx.Node) for each in node.args):
            raise _unknown(node)
        overwritten = cast(fx.Node, node.args[0])
        if node.target in ("add_", operator.iadd) and len(overwritten.users) != 1:
            raise _unknown(node)
        earlier, later = sorted(cast(Sequence[fx.Node], node.args), key=lambda each: self._values[each])
        self._fuse(node, later, lambda step: step.add is None, add=self._values[earlier])

    def _concatenation(self, node: fx.Node) -> None:
        joined, dimension = node.args if len(node.args) == 2 else (node.args[0], node.kwargs.get("dim"))
        if dimension != 1:
            raise _unknown(node)
        self._append(node, Concatenation(tuple(self._values[each] for each in cast(Sequence[fx.Node], joined))))


def _pair(value: int | Sequence[int]) -> Pair:
    return (value, value) if isinstance(value, int) else (value[0], value[1])


def _unknown(node: fx.Node) -> NotImplementedError:
    return NotImplementedError(f"a runtime cannot run this step of the network: {node.format_node()}")
