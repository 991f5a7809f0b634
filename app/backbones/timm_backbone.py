"""Networks of timm (Wightman 2019, doi:10.5281/zenodo.4414861), which the extra `timm` installs."""

import warnings
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from app.backbones.backbone import Backbone, Normalisation, chosen_layers
from app.errors import InvalidWeights

TIMM = "timm/"
"""The prefix of the names of these backbones: `timm/convnext_tiny`."""


class TimmBackbone(Backbone):
    """Computes the features of some layers of a network of timm: a CNN's stages, or the tokens of a ViT's blocks.

    architecture: `timm/` and timm's name of the network, such as `timm/vit_small_patch14_dinov2`
    layers: names of timm's `feature_info`, such as `layer2`, `stages.1` or `blocks.7`; None: those with the strides
        `default_strides`, or, in a ViT, the blocks at two thirds and at the end of its depth

    Features of a ViT have no prefix tokens, and pass through its last norm, as its authors' features do. Position
    embeddings are interpolated to the size of the tile. The normalisation is that of timm's configuration of the name.
    Raises InvalidWeights for unknown names, for networks that take pictures of one size only, and without timm.
    """

    values_per_pixel = 130  # an estimate that covers VGG and a ViT of 1,536 channels with patches of 14 pixels

    def __init__(
        self, architecture: str, layers: Sequence[str] | None = None, default_strides: Sequence[int] = (4, 8, 16)
    ) -> None:
        super().__init__()
        self.architecture, network = architecture, _created(architecture.removeprefix(TIMM))
        names = [each["module"] for each in network.feature_info]
        self.strides = {each["module"]: int(each["reduction"]) for each in network.feature_info}
        self.channels = {each["module"]: int(each["num_chs"]) for each in network.feature_info}
        self._has_tokens = len(names) > 1 and len(set(self.strides.values())) == 1
        if layers is None and self._has_tokens:
            layers = names[2 * len(names) // 3 - 1], names[-1]
        self.layers = chosen_layers(self.strides, layers, default_strides)
        self._indices = sorted({names.index(layer) for layer in self.layers})
        self._computed = [names[index] for index in self._indices]
        network.prune_intermediate_layers(self._indices, prune_norm=not self._has_tokens)
        self.network: Any = network
        mean, std = (tuple(map(float, network.pretrained_cfg[key])) for key in ("mean", "std"))
        self.normalisation = Normalisation((mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))
        if self._has_tokens:
            self.neighbourhood = 1  # tokens have seen the whole tile
        self._verify()

    @property
    def weighted(self) -> nn.Module:
        """timm's network, whose names weight files have."""
        network: nn.Module = self.network
        return network

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        height, width = x.shape[-2:]
        down, right = -height % self.stride, -width % self.stride
        if down or right:
            x = F.pad(x, (0, right, 0, down))
        found = self.network.forward_intermediates(
            x, indices=self._indices, norm=self._has_tokens, output_fmt="NCHW", intermediates_only=True
        )
        features = dict(zip(self._computed, found, strict=True))
        return {
            layer: features[layer][..., : -(-height // self.strides[layer]), : -(-width // self.strides[layer])]
            for layer in self.layers
        }

    def draw_weights(self) -> None:
        """Keeps the random weights that timm drew when it made the network."""

    @torch.no_grad()
    def _verify(self) -> None:
        """Raises InvalidWeights unless the network takes pictures of any size, and has the strides that timm states."""
        training, edges = self.training, (4 * self.stride, 5 * self.stride)
        try:
            features = self.eval()(torch.zeros(1, 3, *edges))
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            raise InvalidWeights(
                f"{self.architecture} cannot be used: {error}; use a network that takes pictures of any size"
            ) from error
        for layer, feature in features.items():
            expected = self.channels[layer], *(edge // self.strides[layer] for edge in edges)
            if feature.shape[1:] != expected:
                raise InvalidWeights(
                    f"{self.architecture} cannot be used: {layer} has the shape {list(feature.shape[1:])} for a "
                    f"picture of {edges}, and its stride gives {list(expected)}"
                )
        self.train(training)


def _created(name: str) -> Any:
    """A network of timm with random weights, which takes pictures of any size if possible. Raises InvalidWeights."""
    timm = _timm()
    if not timm.is_model(name.partition(".")[0]):
        raise InvalidWeights(f"timm {timm.__version__} has no network {name!r}; timm.list_models() lists them")
    try:
        try:
            network = timm.create_model(name, pretrained=False, num_classes=0, dynamic_img_size=True)
        except TypeError:  # a network without position embeddings has no such argument
            network = timm.create_model(name, pretrained=False, num_classes=0)
    except RuntimeError as error:
        raise InvalidWeights(f"timm {timm.__version__} cannot make {name!r}: {error}") from error
    if not hasattr(network, "forward_intermediates") or not hasattr(network, "prune_intermediate_layers"):
        raise InvalidWeights(f"timm {timm.__version__} gives no features of {name!r}; use another network")
    return network


def _timm() -> Any:
    """The module timm. Raises InvalidWeights if it cannot be imported."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            import timm
    except ImportError as error:
        raise InvalidWeights(f"this backbone needs timm ({error}): pip install timm") from error
    except RuntimeError as error:  # a build of torchvision that does not fit that of torch
        raise InvalidWeights(f"timm cannot be imported; install the torchvision of this torch ({error})") from error
    return timm
