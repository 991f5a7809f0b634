"""EfficientNet-Lite (Tan & Le 2019, arXiv:1905.11946; Lite: Liu 2020, TensorFlow's model garden).

Lite networks have no squeeze-and-excitation, and ReLU6 instead of swish. Modules have the names of
EfficientNet-PyTorch (`_blocks.0._depthwise_conv`), so that its weights load.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from app.backbones.backbone import Backbone, Normalisation, chosen_layers
from app.backbones.initialisation import initialise
from app.errors import InvalidWeights

STEM = 32  # channels of the first convolution
EXPANSION = 6  # channels within a block per channel of its input; 1 in stage1
KERNELS = (3, 3, 5, 3, 5, 5, 3)  # of the depthwise convolutions in stage1 to stage7
STEPS = (1, 2, 2, 2, 1, 2, 1)  # strides of stage1 to stage7, after the stem's stride of 2
STAGE_STRIDES = {"stage1": 2, "stage2": 4, "stage3": 8, "stage4": 16, "stage5": 16, "stage6": 32, "stage7": 32}
EPSILON = 1e-3  # of batch norms


@dataclass(frozen=True, slots=True)
class LiteArchitecture:
    """Channels and number of blocks in stage1 to stage7 of an EfficientNet-Lite."""

    channels: tuple[int, ...]
    blocks: tuple[int, ...]


LITE_ARCHITECTURES: dict[str, LiteArchitecture] = {
    "efficientnet_lite0": LiteArchitecture((16, 24, 40, 80, 112, 192, 320), (1, 2, 2, 3, 3, 4, 1)),
    "efficientnet_lite1": LiteArchitecture((16, 24, 40, 80, 112, 192, 320), (1, 3, 3, 4, 4, 5, 1)),
    "efficientnet_lite2": LiteArchitecture((16, 24, 48, 88, 120, 208, 352), (1, 3, 3, 4, 4, 5, 1)),
}


class Block(nn.Module):
    """A 1x1 convolution that widens, a depthwise one, and a 1x1 one that narrows: an inverted residual block.

    Has a shortcut if input and output have the same shape (Sandler et al. 2018, arXiv:1801.04381).
    """

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        inner = inputs * expansion
        self._expand_conv = nn.Conv2d(inputs, inner, 1, bias=False) if expansion > 1 else None
        self._bn0 = _norm(inner) if expansion > 1 else None
        self._pad, self._depthwise_conv = _same(inner, inner, kernel, stride, groups=inner)
        self._bn1 = _norm(inner)
        self._project_conv = nn.Conv2d(inner, outputs, 1, bias=False)
        self._bn2 = _norm(outputs)
        self._relu6 = nn.ReLU6(inplace=True)
        self._has_shortcut = stride == 1 and inputs == outputs

    def forward(self, x: Tensor) -> Tensor:
        """[n,inputs,h,w] -> [n,outputs,ceil(h/stride),ceil(w/stride)]."""
        inner = x
        if self._expand_conv is not None and self._bn0 is not None:
            inner = self._relu6(self._bn0(self._expand_conv(x)))
        inner = self._relu6(self._bn1(self._depthwise_conv(self._pad(inner))))
        y: Tensor = self._bn2(self._project_conv(inner))
        return y.add_(x) if self._has_shortcut else y


class EfficientNetLite(Backbone):
    """Computes the features of some stages of an EfficientNet-Lite, each after its last block.

    architecture: a key of LITE_ARCHITECTURES
    layers: one or more of `stage1` to `stage7`; None: the deepest stages with the strides `default_strides`

    Pictures are normalised as for the weights that TensorFlow's authors published: (255 x - 127) / 128. Raises
    InvalidWeights for unknown names.
    """

    strides = STAGE_STRIDES
    normalisation = Normalisation((127 / 255,) * 3, (128 / 255,) * 3)
    values_per_pixel = 60

    def __init__(
        self, architecture: str, layers: Sequence[str] | None = None, default_strides: Sequence[int] = (4, 8, 16)
    ) -> None:
        super().__init__()
        if architecture not in LITE_ARCHITECTURES:
            raise InvalidWeights(
                f"backbone {architecture!r} is not an EfficientNet-Lite; use one of {', '.join(LITE_ARCHITECTURES)}"
            )
        shape = LITE_ARCHITECTURES[architecture]
        self.architecture, self.layers = architecture, chosen_layers(STAGE_STRIDES, layers, default_strides)
        self.channels = dict(zip(STAGE_STRIDES, shape.channels, strict=True))
        self._pad, self._conv_stem = _same(3, STEM, 3, 2)
        self._bn0, self._relu6 = _norm(STEM), nn.ReLU6(inplace=True)
        self._blocks = nn.ModuleList()
        self._ends: dict[int, str] = {}  # the stage of each block that is the last of its stage
        inputs = STEM
        depth = 1 + max(list(STAGE_STRIDES).index(layer) for layer in self.layers)
        for stage, outputs, blocks, kernel, step in zip(
            list(STAGE_STRIDES)[:depth], shape.channels, shape.blocks, KERNELS, STEPS, strict=False
        ):
            for number in range(blocks):
                stride, expansion = step if number == 0 else 1, 1 if stage == "stage1" else EXPANSION
                self._blocks.append(Block(inputs, outputs, kernel, stride, expansion))
                inputs = outputs
            self._ends[len(self._blocks) - 1] = stage

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self._relu6(self._bn0(self._conv_stem(self._pad(x))))
        features = {}
        for number, block in enumerate(self._blocks):
            x = block(x)
            if number in self._ends:
                features[self._ends[number]] = x
        return {layer: features[layer] for layer in self.layers}

    def draw_weights(self) -> None:
        initialise(self)


def _norm(channels: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(channels, EPSILON)


def _same(inputs: int, outputs: int, kernel: int, stride: int, groups: int = 1) -> tuple[nn.Module, nn.Conv2d]:
    """A padding, and a convolution of the padded input with ceil(edge / stride) results per edge.

    For even edges, and for stride 1, the results are those of TensorFlow's padding `same`: with a stride of 2, it pads
    one pixel more at the end than at the start. Odd edges are padded as if they were one pixel longer, so that a cell
    shows the same pixels in a picture of any size. TensorFlow would move them by one pixel.
    """
    before = (kernel - stride) // 2
    after = before if stride == 1 else before + 2
    convolution = nn.Conv2d(
        inputs, outputs, kernel, stride, padding=before if stride == 1 else 0, groups=groups, bias=False
    )
    return nn.Identity() if stride == 1 else nn.ZeroPad2d((before, after, before, after)), convolution
