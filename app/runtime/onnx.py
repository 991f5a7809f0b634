"""Programs run by ONNX Runtime, on the CPU in float32."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from app.detectors import Features
from app.errors import UnavailableRuntime
from app.runtime.network import Kernels, Library, Precision
from app.runtime.program import Convolution, MaxPool, Program, Step

if TYPE_CHECKING:
    import onnx

OPSET, IR_VERSION = 17, 8
PACKAGES = ("onnxruntime", "onnx")


def require_onnx(device: torch.device, precision: Precision) -> None:
    """Raises UnavailableRuntime where a program cannot be a session."""
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise UnavailableRuntime(
            f"runtime is onnxruntime, and {' and '.join(missing)} is not installed; "
            "run `pip install 'tessera[onnxruntime]'`, or use runtime torch"
        )
    if device.type != "cpu" or precision != "float32":
        raise UnavailableRuntime(
            f"runtime is onnxruntime, which runs in float32 on the CPU here, not in {precision} on {device}; "
            "use precision float32 and device cpu, or runtime torch"
        )


class OnnxNetwork:
    """A session of the program's graph. Its threads sleep when they wait: they share cores with those that decode."""

    runtime: Library = "onnxruntime"
    kernels: Kernels = "onnx"
    precision: Precision = "float32"

    def __init__(self, program: Program) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        content = onnx_model(program).SerializeToString()
        self._session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])

    def __call__(self, tiles: Tensor) -> Features:
        """See Network."""
        found = self._session.run(None, {_name(0): tiles.contiguous().numpy()})
        return tuple(torch.from_numpy(each) for each in found)


def onnx_model(program: Program) -> "onnx.ModelProto":
    """The program as ONNX; the number of tiles and their size are left open."""
    from onnx import TensorProto, helper, numpy_helper

    nodes, weights = [], []
    for number, step in enumerate(program.steps, start=1):
        if isinstance(step, Convolution):
            for kind, tensor in zip(("weight", "bias"), step.folded(), strict=True):
                weights.append(numpy_helper.from_array(tensor.cpu().numpy(), f"{kind}{number}"))
        nodes += _nodes(step, number)
    tile = helper.make_tensor_value_info(_name(0), TensorProto.FLOAT, ["n", 3, "h", "w"])
    outputs = [helper.make_tensor_value_info(_name(each), TensorProto.FLOAT, None) for each in program.outputs]
    graph = helper.make_graph(nodes, "network", [tile], outputs, weights)
    return helper.make_model(graph, ir_version=IR_VERSION, opset_imports=[helper.make_opsetid("", OPSET)])


def _nodes(step: Step, number: int) -> list["onnx.NodeProto"]:
    from onnx import helper

    sources = [_name(source) for source in step.sources]
    if isinstance(step, MaxPool):
        window: dict[str, Any] = {
            "kernel_shape": step.kernel,
            "strides": step.stride,
            "pads": (*step.padding, *step.padding),
        }
        return [helper.make_node("MaxPool", sources, [_name(number)], **window)]
    if not isinstance(step, Convolution):
        return [helper.make_node("Concat", sources, [_name(number)], axis=1)]
    chain = ["ConvTranspose" if step.transposed else "Conv"]
    chain += ["Add"] * (step.add is not None) + ["Relu"] * step.relu
    names = [*(f"{_name(number)}.{place}" for place in range(len(chain) - 1)), _name(number)]
    inputs = [[sources[0], f"weight{number}", f"bias{number}"], *([name] for name in names[:-1])]
    if step.add is not None:
        inputs[1].append(sources[1])
    attributes = [_attributes(step), *({} for _ in chain[1:])]
    pairs = zip(chain, inputs, names, attributes, strict=True)
    return [helper.make_node(kind, given, [name], **how) for kind, given, name, how in pairs]


def _attributes(step: Convolution) -> dict[str, Any]:  # of whatever types the operator has
    module = step.module
    assert not isinstance(module.padding, str)
    shape: dict[str, Any] = {
        "kernel_shape": module.kernel_size,
        "strides": module.stride,
        "pads": (*module.padding, *module.padding),
        "dilations": module.dilation,
        "group": module.groups,
    }
    if step.transposed:
        shape["output_padding"] = module.output_padding
    return shape


def _name(value: int) -> str:
    return f"value{value}"
