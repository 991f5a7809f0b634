"""Detectors whose network begins with the frozen layers of a backbone."""

from collections.abc import Sequence
from typing import ClassVar

from app.backbones import SHIPPED_NAMES, Backbone, Normalisation, build_backbone, default_weights, load_weights
from app.detectors.base import Detector
from app.errors import InvalidParameter


class BackboneDetector(Detector):
    """A detector with a backbone, which is never trained."""

    memory_advice = "a smaller backbone"
    default_strides: ClassVar[tuple[int, ...]] = (8, 16)
    """The strides in pixels of the layers that are used by default."""
    backbone: Backbone

    def __init__(
        self, backbone: str, layers: Sequence[str] | None, pre_trained: bool = True, backbone_weights: str | None = None
    ) -> None:
        super().__init__()
        if backbone_weights is not None and not pre_trained:
            raise InvalidParameter("pre_trained is false, and backbone_weights name some; leave one of them out")
        self.backbone = build_backbone(backbone, layers, self.default_strides).requires_grad_(False).eval()
        if not pre_trained:
            self.backbone.draw_weights()
        self._pre_trained, self._weights = pre_trained, backbone_weights

    @property
    def weights_name(self) -> str:
        """See Detector; `random` if `pre_trained` is false."""
        return (self._weights or default_weights(self.backbone)) if self._pre_trained else "random"

    def load_weights(self) -> str:
        return load_weights(self.backbone, self._weights) if self._pre_trained else self.weights_name

    @property
    def description(self) -> str:
        shipped = ", which come with the program" if self.weights_name in SHIPPED_NAMES.values() else ""
        return f"backbone: {self.backbone.architecture}, weights: {self.weights_name}{shipped}"

    @property
    def training_warnings(self) -> tuple[str, ...]:
        if self._pre_trained:
            return ()
        return ("pre_trained is false: the backbone's weights are random, and the model will find little",)

    @property
    def normalisation(self) -> Normalisation:
        """That of the backbone's weights."""
        return self.backbone.normalisation

    @property
    def stride(self) -> int:
        """The stride of the deepest layer."""
        return self.backbone.stride

    @property
    def tile_multiple(self) -> int:
        return self.backbone.tile_multiple

    def activation_bytes(self, pixels: int) -> int:
        """The most bytes that the backbone's activations take for this number of input pixels."""
        return 4 * self.backbone.values_per_pixel * pixels

    def train(self, mode: bool = True) -> "BackboneDetector":
        """Keeps the frozen backbone in evaluation mode, so that its batch norm statistics never move."""
        super().train(mode)
        self.backbone.eval()
        return self
