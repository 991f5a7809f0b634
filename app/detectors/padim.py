"""PaDiM: a Gaussian at each position (Defard et al. 2020, arXiv:2011.08785)."""

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from app.backbones import LAYER_STRIDES
from app.detectors.base import Features, Measurement, Place, Progress
from app.detectors.one_pass import Fitter, OnePassDetector
from app.errors import InvalidDataset
from app.scoring import MapRule

DEFAULT_FEATURES = {"resnet18": 100, "wide_resnet50_2": 550}
REGULARISATION = 0.01 + 1e-5  # the paper's epsilon, and what anomalib adds again before it inverts
FIT_PICTURES = 8  # their embeddings are added to the covariances in one product
FIT_POSITIONS = 2048


class Padim(OnePassDetector):
    """Distances are Mahalanobis distances to the Gaussian of the embedding's position.

    Positions are cells of the first layer's grid, so a fitted detector takes pictures of one size.

    Args:
        backbone: resnet18, resnet34, resnet50 or wide_resnet50_2
        layers: whose channels make up the embedding
        n_features: how many of the channels are used, drawn at random; by default 100 for resnet18, 550 for
            wide_resnet50_2
        pre_trained: false leaves the backbone's weights random
        backbone_weights: a file, or a name on the Hugging Face hub; by default timm's weights of the backbone
    """

    name = "padim"
    map_rule = MapRule(upsampling="bilinear", blur=True)
    idx: Tensor  # [c] int64, the channels
    mean: Tensor  # [h,w,c]
    whitener: Tensor  # [h,w,c,c]: W with W^T W = inverse covariance, so that the distance is |W (x - mean)|

    def __init__(
        self,
        backbone: str = "resnet18",
        layers: Sequence[str] = ("layer1", "layer2", "layer3"),
        pre_trained: bool = True,
        n_features: int | None = None,
        backbone_weights: str | None = None,
    ) -> None:
        super().__init__(backbone, layers, pre_trained, backbone_weights)
        available = sum(self.backbone.channels[layer] for layer in layers)
        chosen = DEFAULT_FEATURES.get(backbone) if n_features is None else n_features
        if chosen is None:
            raise InvalidDataset(
                f"PaDiM has no default number of channels for {backbone}; give n_features, 1 to {available}"
            )
        if not 0 < chosen <= available:
            raise InvalidDataset(f"n_features is {chosen} for {backbone}; use 1 to {available}, the layers' channels")
        self.n_features = chosen
        self.register_buffer("idx", torch.randperm(available)[:chosen])
        self.register_buffer("mean", torch.empty(0, 0, chosen))
        self.register_buffer("whitener", torch.empty(0, 0, chosen, chosen))

    @property
    def parameters_of_model(self) -> dict[str, object]:
        """Backbone, layers and number of channels."""
        return {
            "backbone": self.backbone.architecture,
            "layers": list(self.backbone.layers),
            "n_features": self.n_features,
        }

    @property
    def feature_strides(self) -> tuple[int, ...]:
        """One embedding, on the first layer's grid."""
        return (LAYER_STRIDES[self.backbone.layers[0]],)

    @property
    def image_size_is_fixed(self) -> bool:
        """A Gaussian belongs to a position."""
        return True

    def network(self, tiles: Tensor) -> Features:
        """The backbone's layers."""
        return tuple(self.backbone(tiles).values())

    def assemble(self, outputs: Features) -> Features:
        """([n,n_features,h/4,w/4],): the chosen channels, deeper layers enlarged (nearest)."""
        size = outputs[0].shape[-2:]
        embedding = outputs[0].new_empty(len(outputs[0]), self.n_features, *size)
        first = 0
        for feature in outputs:
            places = ((self.idx >= first) & (self.idx < first + feature.shape[1])).nonzero()[:, 0]
            chosen = feature[:, self.idx[places] - first]  # before enlarging, which multiplies the work
            embedding[:, places] = chosen if chosen.shape[-2:] == size else F.interpolate(chosen, size=size)
            first += feature.shape[1]
        return (embedding,)

    def measure(self, features: Features, places: Sequence[Place]) -> Measurement:
        """[n,c,h,w] -> [n,h,w]."""
        (embedding,) = features
        (stride,) = self.feature_strides
        height, width = embedding.shape[-2:]
        distances = embedding.new_empty(len(embedding), height, width, dtype=torch.float32)
        for (top, left), each, out in zip(places, embedding.float().movedim(1, -1), distances, strict=True):
            rows, columns = (slice(at // stride, at // stride + n) for at, n in ((top, height), (left, width)))
            offset = (each - self.mean[rows, columns]).contiguous()  # [h,w,c]
            whitened = self.whitener[rows, columns] @ offset.unsqueeze(-1)  # [h,w,c,1]
            torch.linalg.vector_norm(whitened[..., 0], dim=-1, out=out)
        return Measurement((distances,))

    def fitter(self, pictures: int, grid: tuple[int, int]) -> Fitter:
        """Running moments of every position."""
        return _Moments(self, pictures, grid)

    def fitting_memory(self, pictures: int, grid: tuple[int, int]) -> int:
        """The covariances, which become the whiteners in place, and a few pictures' embeddings."""
        positions = grid[0] * grid[1]
        waiting = min(FIT_PICTURES, pictures)
        return 4 * positions * self.n_features * (self.n_features + 1 + waiting)


class _Moments:
    """Means and scatter matrices of all positions, updated by a few pictures at a time.

    Parts are merged as Chan, Golub & LeVeque 1983 do: the scatter of both is the sum of their scatters and of
    n m / (n + m) d d^T, where d is the difference of their means. That term is one more row of the product.
    """

    def __init__(self, detector: Padim, pictures: int, grid: tuple[int, int]) -> None:
        self._detector, self._grid, self._expected = detector, grid, pictures
        positions, features, device = grid[0] * grid[1], detector.n_features, detector.idx.device
        self._count = 0
        self._mean = torch.zeros(positions, features, device=device)
        self._scatter = torch.zeros(positions, features, features, device=device)
        self._waiting = torch.empty(positions, min(FIT_PICTURES, pictures), features, device=device)
        self._filled = 0

    def add(self, features: Features, top: int) -> None:
        """See Fitter."""
        (embedding,) = features
        if top == 0:
            if self._filled == self._waiting.shape[1]:
                self._merge()
            self._filled += 1
        cells = slice(top * self._grid[1], (top + embedding.shape[1]) * self._grid[1])
        self._waiting[cells, self._filled - 1] = embedding.flatten(1).T

    def _merge(self) -> None:
        new, known = self._filled, self._count
        for start in range(0, len(self._mean), FIT_POSITIONS):
            at = slice(start, start + FIT_POSITIONS)
            part = self._waiting[at, :new]  # [p,new,c]
            mean = part.mean(1)
            offset = mean - self._mean[at]
            between = (offset * (new * known / (new + known)) ** 0.5).unsqueeze(1)
            rows = torch.cat([part - mean.unsqueeze(1), between], 1)  # [p,new + 1,c]
            self._scatter[at].baddbmm_(rows.transpose(1, 2), rows)
            self._mean[at] += offset * (new / (new + known))
        self._count, self._filled = known + new, 0

    def finish(self, progress: Progress) -> None:
        """Turns scatter matrices into whiteners, in place: W = R^-1 with covariance = R R^T."""
        self._merge()
        if self._count < 2:
            raise InvalidDataset(f"PaDiM needs at least 2 pictures to know how they vary, and got {self._count}")
        identity = torch.eye(self._detector.n_features, device=self._mean.device)
        for start in range(0, len(self._mean), FIT_POSITIONS):
            at = slice(start, start + FIT_POSITIONS)
            covariance = self._scatter[at].div_(self._count - 1).add_(identity, alpha=REGULARISATION)
            factor = torch.linalg.cholesky(covariance)
            self._scatter[at] = torch.linalg.solve_triangular(factor, identity.expand_as(factor), upper=False)
            progress("Gaussians", min(start + FIT_POSITIONS, len(self._mean)), len(self._mean))
        self._detector.mean = self._mean.unflatten(0, self._grid)  # type: ignore[no-untyped-call]  # torch leaves it so
        self._detector.whitener = self._scatter.unflatten(0, self._grid)  # type: ignore[no-untyped-call]  # so, too
