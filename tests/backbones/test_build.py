"""Backbones by their names."""

import sys

import pytest

from app.backbones import ARCHITECTURES, LITE_ARCHITECTURES, build_backbone
from app.backbones.backbone import chosen_layers
from app.detectors import ReverseDistillation, Stfpm
from app.errors import InvalidParameter, InvalidWeights


@pytest.mark.parametrize("name", [*ARCHITECTURES, *LITE_ARCHITECTURES])
def test_a_backbone_has_the_requested_name_and_strides(name: str) -> None:
    backbone = build_backbone(name, None, (8, 16))
    assert backbone.architecture == name
    assert backbone.feature_strides == (8, 16)
    assert backbone.stride == backbone.tile_multiple == 16
    assert build_backbone(name, backbone.layers[1:], (8, 16)).feature_strides == (16,)


def test_an_unknown_name_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InvalidWeights, match=r"'resnet19'.*resnet18.*efficientnet_lite2.*timm/"):
        build_backbone("resnet19", None, (8, 16))


def test_a_default_stride_that_no_layer_has_is_refused_with_the_layers() -> None:
    with pytest.raises(InvalidWeights, match=r"\[8, 16\].*shallow, deep"):
        chosen_layers({"shallow": 4, "deep": 16}, None, (8, 16))


def test_without_timm_its_networks_are_refused_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)  # stands for a package that is not installed
    with pytest.raises(InvalidWeights, match="pip install timm"):
        build_backbone("timm/convnext_tiny", None, (8, 16))


@pytest.mark.parametrize("kind", [Stfpm, ReverseDistillation])
def test_detectors_that_mirror_a_resnet_refuse_other_backbones(kind: type[Stfpm | ReverseDistillation]) -> None:
    with pytest.raises(InvalidParameter, match=r"'efficientnet_lite0'.*resnet18.*Patchcore"):
        kind("efficientnet_lite0")
