"""Convolutional networks whose intermediate features describe patches of a picture."""

from app.backbones.decoder import ResNetDecoder
from app.backbones.initialisation import initialise
from app.backbones.one_class import OneClassBottleneck
from app.backbones.resnet import ARCHITECTURES, LAYER_STRIDES, ResNet
from app.backbones.weights import HUB_NAMES, load_weights

__all__ = [
    "ARCHITECTURES",
    "HUB_NAMES",
    "LAYER_STRIDES",
    "OneClassBottleneck",
    "ResNet",
    "ResNetDecoder",
    "initialise",
    "load_weights",
]
