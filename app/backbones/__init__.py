"""Convolutional networks whose intermediate features describe patches of a picture."""

from app.backbones.decoder import ResNetDecoder
from app.backbones.initialisation import initialise
from app.backbones.one_class import OneClassBottleneck
from app.backbones.resnet import ARCHITECTURES, LAYER_STRIDES, ResNet
from app.backbones.weights import SHIPPED_NAMES, default_weights, load_weights

__all__ = [
    "ARCHITECTURES",
    "LAYER_STRIDES",
    "SHIPPED_NAMES",
    "OneClassBottleneck",
    "ResNet",
    "ResNetDecoder",
    "default_weights",
    "initialise",
    "load_weights",
]
