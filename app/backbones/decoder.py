"""The decoder of Reverse Distillation: a reversed ResNet, from coarse to fine (Deng & Li 2022, arXiv:2201.10703).

Modules have the names of the authors' program. anomalib uses the same names, so that its weights can be loaded.
"""

from torch import Tensor, nn

from app.backbones.resnet import ARCHITECTURES


class BasicBlock(nn.Module):
    """Two 3x3 convolutions with a shortcut.

    With `enlarge`, the first convolution is a transposed 2x2 one: it doubles the size, and so does the shortcut.
    """

    def __init__(self, inputs: int, planes: int, enlarge: bool) -> None:
        super().__init__()
        self.conv1 = _doubling(inputs, planes) if enlarge else nn.Conv2d(inputs, planes, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.act = nn.ReLU(inplace=True)
        self.upsample = _shortcut(inputs, planes) if enlarge else None

    def forward(self, x: Tensor) -> Tensor:
        """[N,inputs,h,w] -> [N,planes,2h,2w], or [N,planes,h,w] without `enlarge`."""
        shortcut = x if self.upsample is None else self.upsample(x)
        y = self.act(self.bn1(self.conv1(x)))
        return self.act(self.bn2(self.conv2(y)).add_(shortcut))  # type: ignore[no-any-return]  # modules return Any


class Bottleneck(nn.Module):
    """1x1, 3x3 and 1x1 convolutions with a shortcut.

    With `enlarge`, the second convolution is a transposed 2x2 one: it doubles the size, and so does the shortcut.
    """

    def __init__(self, inputs: int, planes: int, enlarge: bool, width: int) -> None:
        super().__init__()
        inner, outputs = planes * width // 64, planes * 4
        self.conv1 = nn.Conv2d(inputs, inner, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv2 = _doubling(inner, inner) if enlarge else nn.Conv2d(inner, inner, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(inner)
        self.conv3 = nn.Conv2d(inner, outputs, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.act = nn.ReLU(inplace=True)
        self.upsample = _shortcut(inputs, outputs) if enlarge else None

    def forward(self, x: Tensor) -> Tensor:
        """[N,inputs,h,w] -> [N,4 * planes,2h,2w], or [N,4 * planes,h,w] without `enlarge`."""
        shortcut = x if self.upsample is None else self.upsample(x)
        y = self.act(self.bn1(self.conv1(x)))
        y = self.act(self.bn2(self.conv2(y)))
        return self.act(self.bn3(self.conv3(y)).add_(shortcut))  # type: ignore[no-any-return]  # modules return Any


def _doubling(inputs: int, outputs: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(inputs, outputs, 2, 2, bias=False)


def _shortcut(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_doubling(inputs, outputs), nn.BatchNorm2d(outputs))


class ResNetDecoder(nn.Module):
    """Reconstructs the features of a ResNet's layers 1 to 3 from an embedding at stride 32."""

    def __init__(self, architecture: str) -> None:
        super().__init__()
        shape = ARCHITECTURES[architecture]
        expansion = 4 if shape.bottleneck else 1
        inputs = 512 * expansion
        for number, planes in enumerate((256, 128, 64)):
            blocks: list[nn.Module] = []
            for position in range(shape.blocks[number]):
                enlarge = position == 0
                if shape.bottleneck:
                    blocks.append(Bottleneck(inputs, planes, enlarge, shape.width))
                else:
                    blocks.append(BasicBlock(inputs, planes, enlarge))
                inputs = planes * expansion
            self.add_module(f"layer{number + 1}", nn.Sequential(*blocks))

    def forward(self, embedding: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """[N,C,h,w] -> features like those of layers 1, 2 and 3: eight, four and two times the size."""
        third = self.get_submodule("layer1")(embedding)
        second = self.get_submodule("layer2")(third)
        return self.get_submodule("layer3")(second), second, third
