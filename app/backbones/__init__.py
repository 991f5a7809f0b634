"""Networks whose intermediate features describe patches of a picture."""

from app.backbones.backbone import IMAGENET, Backbone, Normalisation
from app.backbones.build import build_backbone
from app.backbones.decoder import ResNetDecoder
from app.backbones.efficientnet_lite import LITE_ARCHITECTURES, EfficientNetLite
from app.backbones.initialisation import initialise
from app.backbones.one_class import OneClassBottleneck
from app.backbones.resnet import ARCHITECTURES, LAYER_STRIDES, ResNet
from app.backbones.weights import SHIPPED_NAMES, default_weights, load_weights

__all__ = [
    "ARCHITECTURES",
    "IMAGENET",
    "LAYER_STRIDES",
    "LITE_ARCHITECTURES",
    "SHIPPED_NAMES",
    "Backbone",
    "EfficientNetLite",
    "Normalisation",
    "OneClassBottleneck",
    "ResNet",
    "ResNetDecoder",
    "build_backbone",
    "default_weights",
    "initialise",
    "load_weights",
]
