"""EfficientNet-Lite has the layers, the padding and the weights of the networks that its authors trained."""

from importlib.util import find_spec

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from app.backbones import LITE_ARCHITECTURES, EfficientNetLite, load_weights
from app.backbones.efficientnet_lite import KERNELS, STAGE_STRIDES, STEPS
from app.backbones.weight_packages import PACKAGED_NAMES, WEIGHT_PACKAGES, packaged_file
from app.detectors import Padim, Patchcore
from app.errors import InvalidWeights

STAGES = tuple(STAGE_STRIDES)
LITE0 = "efficientnet_lite0"


def installed(architecture: str) -> bool:
    return find_spec(WEIGHT_PACKAGES[PACKAGED_NAMES[architecture]]) is not None


@pytest.fixture(params=LITE_ARCHITECTURES)
def architecture(request: pytest.FixtureRequest) -> str:
    """The name of each network. Skips a network whose weights are not installed."""
    if not installed(request.param):
        pytest.skip("the extra `lite` installs its weights")
    return str(request.param)


@pytest.mark.parametrize("name", LITE_ARCHITECTURES)
@pytest.mark.parametrize("size", [(64, 96), (65, 51)])
def test_features_have_the_strides_and_channels_of_their_stages(name: str, size: tuple[int, int]) -> None:
    backbone = EfficientNetLite(name, STAGES).eval()
    for stage, feature in backbone(torch.zeros(1, 3, *size)).items():
        stride = backbone.strides[stage]
        assert feature.shape == (1, backbone.channels[stage], -(-size[0] // stride), -(-size[1] // stride))


def test_the_default_layers_are_the_deepest_with_the_strides_of_the_detector() -> None:
    patchcore, padim = Patchcore(LITE0), Padim(LITE0)
    assert patchcore.backbone.layers == ("stage3", "stage5")
    assert (patchcore.embedding_size, patchcore.stride) == (40 + 112, 16)
    assert padim.backbone.layers == ("stage2", "stage3", "stage5")
    assert not any(name.startswith("_blocks.11.") for name in patchcore.backbone.state_dict())  # of stage6


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidWeights, match="efficientnet_lite2"):
        EfficientNetLite("efficientnet_lite3")
    with pytest.raises(InvalidWeights, match="stage7"):
        EfficientNetLite(LITE0, ("layer2",))


def test_every_tensor_of_the_weights_belongs_to_the_network_or_its_classifier(architecture: str) -> None:
    content = torch.load(packaged_file(PACKAGED_NAMES[architecture]), weights_only=True)
    backbone = EfficientNetLite(architecture, STAGES)
    own = backbone.state_dict()
    assert {name: tensor.shape for name, tensor in own.items()} == {
        name: tensor.shape for name, tensor in content.items() if not name.startswith(("_conv_head", "_bn1", "_fc"))
    }


def test_features_equal_those_of_tensorflow_rules(architecture: str) -> None:
    """Computed from the tensors alone, with the padding that TensorFlow calls `same`."""
    tensors = torch.load(packaged_file(PACKAGED_NAMES[architecture]), weights_only=True)
    backbone = EfficientNetLite(architecture, STAGES).eval()
    load_weights(backbone)
    picture = torch.rand(1, 3, 64, 96, generator=torch.Generator().manual_seed(0)) * 2 - 1
    with torch.inference_mode():
        found, expected = backbone(picture), by_rules(architecture, tensors, picture)
    for stage in STAGES:
        scale = expected[stage].abs().max()
        assert float((found[stage] - expected[stage]).abs().max() / scale) < 1e-4, stage


def by_rules(architecture: str, tensors: dict[str, Tensor], x: Tensor) -> dict[str, Tensor]:
    """The output of each stage, by functions of torch only."""

    def normed(x: Tensor, name: str) -> Tensor:
        mean, var, weight, bias = (
            tensors[f"{name}.{each}"] for each in ("running_mean", "running_var", "weight", "bias")
        )
        return F.batch_norm(x, mean, var, weight, bias, eps=1e-3)

    def convolved(x: Tensor, name: str, stride: int = 1) -> Tensor:
        weight = tensors[f"{name}.weight"]
        sides: list[int] = []
        for edge in (x.shape[-1], x.shape[-2]):
            total = max((-(-edge // stride) - 1) * stride + weight.shape[-1] - edge, 0)
            sides += [total // 2, total - total // 2]
        return F.conv2d(F.pad(x, sides), weight, None, stride, groups=x.shape[1] // weight.shape[1])

    x = normed(convolved(x, "_conv_stem", 2), "_bn0").clamp(0, 6)
    found, number = {}, 0
    for stage, blocks, step in zip(STAGES, LITE_ARCHITECTURES[architecture].blocks, STEPS, strict=True):
        for first in (True, *[False] * (blocks - 1)):
            name, y = f"_blocks.{number}", x
            if f"{name}._expand_conv.weight" in tensors:
                y = normed(convolved(y, f"{name}._expand_conv"), f"{name}._bn0").clamp(0, 6)
            y = normed(convolved(y, f"{name}._depthwise_conv", step if first else 1), f"{name}._bn1").clamp(0, 6)
            y = normed(convolved(y, f"{name}._project_conv"), f"{name}._bn2")
            x = y if first else x + y
            number += 1
        found[stage] = x
    return found


def test_kernels_are_those_of_the_weights() -> None:
    backbone = EfficientNetLite(LITE0, STAGES)
    first_blocks = (0, 1, 3, 5, 8, 11, 15)
    found = [backbone.get_parameter(f"_blocks.{number}._depthwise_conv.weight").shape[-1] for number in first_blocks]
    assert tuple(found) == KERNELS


def test_odd_edges_give_the_features_of_a_picture_with_one_more_row_and_column_of_zeros() -> None:
    torch.manual_seed(0)
    backbone = EfficientNetLite(LITE0, ("stage2", "stage5")).eval()
    backbone.draw_weights()
    picture = torch.randn(1, 3, 65, 51)
    odd, even = backbone(picture), backbone(F.pad(picture, (0, 1, 0, 1)))
    assert all(torch.equal(odd[stage], even[stage]) for stage in odd)


@torch.inference_mode()
def test_random_weights_keep_the_scale_of_features() -> None:
    torch.manual_seed(0)
    backbone = EfficientNetLite(LITE0, STAGES).eval()
    backbone.draw_weights()
    for stage, feature in backbone(torch.randn(2, 3, 64, 64)).items():
        assert 0.02 < float(feature.std()) < 50, stage
