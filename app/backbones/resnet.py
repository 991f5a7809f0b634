"""ResNets (He et al. 2016, arXiv:1512.03385; wide: Zagoruyko & Komodakis 2016, arXiv:1605.07146).

Modules have the names of timm and torchvision (`layer1.0.conv1`, `layer2.0.downsample.0`), so that their weights load.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from app.backbones.backbone import Backbone, chosen_layers
from app.backbones.initialisation import initialise
from app.errors import InvalidWeights

LAYER_STRIDES = {"layer1": 4, "layer2": 8, "layer3": 16, "layer4": 32}


@dataclass(frozen=True, slots=True)
class Architecture:
    """The parameters of a ResNet."""

    blocks: tuple[int, int, int, int]  # number of blocks in layer1 to layer4
    bottleneck: bool  # whether the blocks are Bottleneck or BasicBlock
    width: int = 64  # channels of the 3x3 convolutions in the bottlenecks of layer1
    stem: int = 64  # channels of the first convolution


ARCHITECTURES: dict[str, Architecture] = {
    "resnet18": Architecture((2, 2, 2, 2), bottleneck=False),
    "resnet34": Architecture((3, 4, 6, 3), bottleneck=False),
    "resnet50": Architecture((3, 4, 6, 3), bottleneck=True),
    "wide_resnet50_2": Architecture((3, 4, 6, 3), bottleneck=True, width=128),
    "resnet12": Architecture((1, 1, 2, 1), bottleneck=False, stem=32),
}
"""`resnet12` is specific to this program: its layers have the channels of a ResNet-18, and it is 1.7 times as fast."""


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut."""

    def __init__(self, inputs: int, planes: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.act = nn.ReLU(inplace=True)
        self.downsample = _downsample(inputs, planes, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[N,inputs,h,w] -> [N,planes,h/stride,w/stride]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y: Tensor = self.act(self.bn1(self.conv1(x)))
        return self.act(self.bn2(self.conv2(y)).add_(shortcut))  # type: ignore[no-any-return]  # modules return Any


class Bottleneck(nn.Module):
    """1x1, 3x3 (with the stride) and 1x1 convolutions, with a shortcut."""

    def __init__(self, inputs: int, planes: int, stride: int, width: int) -> None:
        super().__init__()
        inner, outputs = planes * width // 64, planes * 4
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = nn.Conv2d(inner, inner, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.act = nn.ReLU(inplace=True)
        self.downsample = _downsample(inputs, outputs, stride)

    def forward(self, x: Tensor) -> Tensor:
        """[N,inputs,h,w] -> [N,4 * planes,h/stride,w/stride]."""
        shortcut = x if self.downsample is None else self.downsample(x)
        y = self.act(self.bn1(self.conv1(x)))
        y = self.act(self.bn2(self.conv2(y)))
        return self.act(self.bn3(self.conv3(y)).add_(shortcut))  # type: ignore[no-any-return]  # modules return Any


def _downsample(inputs: int, outputs: int, stride: int) -> nn.Sequential | None:
    if stride == 1 and inputs == outputs:
        return None
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))


class ResNet(Backbone):
    """Computes the features of some layers of a ResNet.

    architecture: a key of ARCHITECTURES
    layers: one or more of `layer1` to `layer4`; None: those with the strides `default_strides`

    Raises InvalidWeights for unknown names.
    """

    strides = LAYER_STRIDES
    values_per_pixel = 40  # measured with resnet18, resnet34, resnet50 and wide_resnet50_2

    def __init__(
        self, architecture: str, layers: Sequence[str] | None = None, default_strides: Sequence[int] = (4, 8, 16)
    ) -> None:
        super().__init__()
        if architecture not in ARCHITECTURES:
            raise InvalidWeights(f"backbone {architecture!r} is not a ResNet; use one of {', '.join(ARCHITECTURES)}")
        shape = ARCHITECTURES[architecture]
        self.architecture, self.layers = architecture, chosen_layers(LAYER_STRIDES, layers, default_strides)
        self.conv1 = nn.Conv2d(3, shape.stem, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(shape.stem)
        self.act1 = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, 2, 1)
        channels = shape.stem
        self.channels: dict[str, int] = {}
        depth = 1 + max(list(LAYER_STRIDES).index(layer) for layer in self.layers)
        for number, (name, blocks) in enumerate(zip(list(LAYER_STRIDES)[:depth], shape.blocks, strict=False)):
            planes = 64 * 2**number
            self.add_module(name, _stage(shape, channels, planes, blocks, stride=1 if number == 0 else 2))
            channels = self.channels[name] = planes * (4 if shape.bottleneck else 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        x = self.maxpool(self.act1(self.bn1(self.conv1(x))))
        features = {}
        for name in self.channels:
            features[name] = x = self.get_submodule(name)(x)
        return {layer: features[layer] for layer in self.layers}

    def draw_weights(self) -> None:
        """Draws the convolutions (see `initialise`). Residual blocks start as identities (Goyal et al. 2017,
        arXiv:1706.02677, section 5.1).
        """
        initialise(self)
        for module in self.modules():
            if isinstance(module, BasicBlock):
                nn.init.zeros_(module.bn2.weight)
            elif isinstance(module, Bottleneck):
                nn.init.zeros_(module.bn3.weight)


def _stage(shape: Architecture, inputs: int, planes: int, blocks: int, stride: int) -> nn.Sequential:
    modules: list[nn.Module] = []
    for number in range(blocks):
        step = stride if number == 0 else 1
        if shape.bottleneck:
            modules.append(Bottleneck(inputs, planes, step, shape.width))
        else:
            modules.append(BasicBlock(inputs, planes, step))
        inputs = planes * (4 if shape.bottleneck else 1)
    return nn.Sequential(*modules)
