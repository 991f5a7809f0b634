import pytest
import torch

from app.backbones import ARCHITECTURES, LAYER_STRIDES, ResNet
from app.errors import InvalidWeights

CHANNELS = dict.fromkeys(("resnet12", "resnet18", "resnet34"), (64, 128, 256))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_features_have_the_strides_and_channels_of_their_layers(architecture: str) -> None:
    backbone = ResNet(architecture, ("layer1", "layer2", "layer3")).eval()
    features = backbone(torch.zeros(1, 3, 64, 96))
    channels = CHANNELS.get(architecture, (256, 512, 1024))
    for (layer, feature), expected in zip(features.items(), channels, strict=True):
        stride = LAYER_STRIDES[layer]
        assert feature.shape == (1, expected, 64 // stride, 96 // stride)
    assert backbone.stride == 16


@pytest.mark.parametrize(
    ("architecture", "parameters", "tensors"),
    [("resnet18", 2_782_784, 90), ("wide_resnet50_2", 24_862_528, 258)],
)
def test_sizes_are_those_of_timm_up_to_layer3(architecture: str, parameters: int, tensors: int) -> None:
    """Counted in anomalib 2.7.0 with timm 1.0."""
    backbone = ResNet(architecture, ("layer2", "layer3"))
    assert sum(parameter.numel() for parameter in backbone.parameters()) == parameters
    assert len(backbone.state_dict()) == tensors


def test_layers_after_the_requested_ones_are_not_built() -> None:
    assert "layer3" not in dict(ResNet("resnet18", ("layer2",)).named_children())


def test_features_have_the_order_of_the_requested_layers() -> None:
    assert list(ResNet("resnet18", ("layer3", "layer1"))(torch.zeros(1, 3, 32, 32))) == ["layer3", "layer1"]


@pytest.mark.parametrize(
    ("architecture", "layers", "known"),
    [("resnet19", ("layer1",), "resnet18, resnet34"), ("resnet18", ("layer5",), "layer4"), ("resnet18", (), "layer4")],
)
def test_unknown_names_are_refused_with_the_known_ones(architecture: str, layers: tuple[str, ...], known: str) -> None:
    with pytest.raises(InvalidWeights, match=known):
        ResNet(architecture, layers)
