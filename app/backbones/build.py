"""Makes backbones by their names."""

from collections.abc import Sequence

from app.backbones.backbone import Backbone
from app.backbones.efficientnet_lite import LITE_ARCHITECTURES, EfficientNetLite
from app.backbones.resnet import ARCHITECTURES, ResNet
from app.backbones.timm_backbone import TIMM, TimmBackbone
from app.errors import InvalidWeights


def build_backbone(architecture: str, layers: Sequence[str] | None, default_strides: Sequence[int]) -> Backbone:
    """A backbone that computes these layers, with random weights.

    `layers` None: the deepest layers that have the strides `default_strides`, in pixels. Raises InvalidWeights for an
    unknown architecture or layer.
    """
    if architecture in ARCHITECTURES:
        return ResNet(architecture, layers, default_strides)
    if architecture in LITE_ARCHITECTURES:
        return EfficientNetLite(architecture, layers, default_strides)
    if architecture.startswith(TIMM):
        return TimmBackbone(architecture, layers, default_strides)
    known = ", ".join((*ARCHITECTURES, *LITE_ARCHITECTURES))
    raise InvalidWeights(f"backbone {architecture!r} is not known; use one of {known}, or timm/ and a name of timm's")
