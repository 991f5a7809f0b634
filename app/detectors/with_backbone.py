"""Detectors whose network begins with the frozen layers of a ResNet."""

from collections.abc import Sequence

from app.backbones import SHIPPED_NAMES, ResNet, default_weights, initialise, load_weights
from app.detectors.base import Detector
from app.errors import InvalidParameter

VALUES_PER_PIXEL = 40
"""The most values per input pixel that a ResNet holds at a time, as measured with resnet18, resnet34, resnet50 and
wide_resnet50_2.
"""


class BackboneDetector(Detector):
    """A detector with a backbone, which is never trained."""

    memory_advice = "a smaller backbone"

    def __init__(
        self, backbone: str, layers: Sequence[str], pre_trained: bool = True, backbone_weights: str | None = None
    ) -> None:
        super().__init__()
        if backbone_weights is not None and not pre_trained:
            raise InvalidParameter("pre_trained is false, and backbone_weights name some; leave one of them out")
        self.backbone = ResNet(backbone, layers).requires_grad_(False).eval()
        if not pre_trained:
            initialise(self.backbone, zero_last=True)
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
    def stride(self) -> int:
        """The stride of the deepest layer."""
        return self.backbone.stride

    def activation_bytes(self, pixels: int) -> int:
        """The most bytes that the backbone's activations take for this number of input pixels."""
        return 4 * VALUES_PER_PIXEL * pixels

    def train(self, mode: bool = True) -> "BackboneDetector":
        """Keeps the frozen backbone in evaluation mode, so that its batch norm statistics never move."""
        super().train(mode)
        self.backbone.eval()
        return self
