"""Convolutional networks whose intermediate features describe patches of a picture."""

from app.backbones.resnet import ARCHITECTURES, LAYER_STRIDES, ResNet
from app.backbones.weights import HUB_NAMES, load_weights

__all__ = ["ARCHITECTURES", "HUB_NAMES", "LAYER_STRIDES", "ResNet", "load_weights"]
