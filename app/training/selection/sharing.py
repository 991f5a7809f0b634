"""Candidates that share work: one run of a backbone, one embedding of a picture, one fitted state."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from app.detectors import BackboneDetector, Detector, Features, OnePassDetector
from app.detectors.patch_embedding import PatchDetector
from app.pipeline import Prepared, Preprocessing, Roi, TiledModel
from app.tiling import Size, TilePlan, Tiling
from app.training.fused import with_fused_network
from app.training.selection.candidates import Candidate


@dataclass(frozen=True, slots=True)
class Made:
    """A candidate with its unfitted detector, and the preprocessing and the grid of its training; see Job."""

    candidate: Candidate
    detector: OnePassDetector
    preprocessing: Preprocessing
    grid: Size


@dataclass(eq=False, slots=True)
class Group:
    """Candidates that differ only in how they score pictures: one of them is fitted, and measures for all.

    model: the model of the detector that is fitted
    members: all candidates, the fitted one among them
    """

    model: TiledModel
    members: list[Made]

    @property
    def detector(self) -> OnePassDetector:
        """The detector that is fitted."""
        assert isinstance(self.model.detector, OnePassDetector)
        return self.model.detector

    @property
    def embedding(self) -> object:
        """Groups of one source that have the same embedding have equal values."""
        if isinstance(self.detector, PatchDetector):
            return type(self.detector).assemble, self.detector.backbone.layers
        return id(self)


@dataclass(eq=False, slots=True)
class Source:
    """Groups that share one run of a network. `model` runs it: its detector has the layers of all groups."""

    model: TiledModel
    groups: list[Group] = field(default_factory=list)

    def outputs(self, prepared: Prepared, batch_tiles: int) -> Iterator[list[tuple[list[Group], Features]]]:
        """For each batch of tiles, the features of every embedding, with the groups that use it."""
        for first in range(0, prepared.plan.count, batch_tiles):
            indices = range(first, min(first + batch_tiles, prepared.plan.count))
            found = self.model.network(self.model.cut(prepared, indices))
            yield [(groups, self._features(groups[0], found)) for groups in self.embeddings]

    def plan(self, height: int, width: int, roi: Roi | None) -> TilePlan:
        """The tiles that all groups need for a picture of this size or a region of it: those of the widest blur."""
        return max((group.model.plan(height, width, roi) for group in self.groups), key=lambda tiles: tiles.count)

    @property
    def embeddings(self) -> list[list[Group]]:
        """The groups of each embedding."""
        found: dict[object, list[Group]] = {}
        for group in self.groups:
            found.setdefault(group.embedding, []).append(group)
        return list(found.values())

    def _features(self, group: Group, outputs: Features) -> Features:
        widest, own = self.model.detector, group.detector
        if isinstance(widest, BackboneDetector) and isinstance(own, BackboneDetector):
            layers = dict(zip(widest.backbone.layers, outputs, strict=True))
            outputs = tuple(layers[layer] for layer in own.backbone.layers)
        return own.assemble(outputs)


def shared(made: Sequence[Made], tiling: Tiling, device: torch.device) -> list[Source]:
    """The candidates, grouped. Loads the weights of each source's network; raises InvalidWeights."""
    sources: list[Source] = []
    for group in sorted(_groups(made, tiling, device), key=lambda group: -len(_layers(group.detector))):
        source = next((each for each in sources if _can_run(each.model.detector, group.detector)), None)
        if source is None:
            group.detector.load_weights()
            source = Source(with_fused_network(group.model))
            sources.append(source)
        source.groups.append(group)
    return sources


def _groups(made: Sequence[Made], tiling: Tiling, device: torch.device) -> list[Group]:
    members: dict[object, list[Made]] = {}
    for each in made:
        members.setdefault(state_key(each.detector), []).append(each)
    leads = [(_lead(same), same) for same in members.values()]
    return [Group(TiledModel(lead.detector, lead.preprocessing, tiling, device=device), same) for lead, same in leads]


def _lead(members: Sequence[Made]) -> Made:
    """The member whose measurements contain what all others need to score pictures."""
    by_patch = (each for each in members if each.detector.parameters_of_model.get("score") == "patch")
    return next(by_patch, members[0])


def state_key(detector: OnePassDetector) -> object:
    """Equal for detectors with the same fitted state and measurements."""
    parameters: dict[str, Any] = dict(detector.parameters_of_model)
    parameters.pop("score", None)
    return type(detector), detector.weights_name, repr(sorted(parameters.items()))


def _can_run(runner: Detector, detector: Detector) -> bool:
    """Whether the network of `runner` computes everything that the detector's own would."""
    if not isinstance(runner, BackboneDetector) or not isinstance(detector, BackboneDetector):
        return False
    one, other = (
        (each.backbone.architecture, each.weights_name, each.stride, each.tile_multiple) for each in (runner, detector)
    )
    return one == other and set(_layers(detector)) <= set(_layers(runner))


def _layers(detector: Detector) -> tuple[str, ...]:
    return detector.backbone.layers if isinstance(detector, BackboneDetector) else ()
