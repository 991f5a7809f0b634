"""Distances of patches to the normal patches of their place, for small pictures.

As in PaDiM (Defard et al. 2020, arXiv:2011.08785), each place has a mean of its own. But all places share one
covariance, so that few pictures are enough: each adds as many patches to it as it has cells.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from app.detectors.bank_whitening import Whitening
from app.detectors.moments import Moments, moments_bytes
from app.detectors.one_pass import FOLDS, contiguous_folds
from app.detectors.state import may_be_missing, require_count
from app.detectors.update import counted_patches
from app.errors import InvalidDataset

LEAST_PICTURES = 3
"""The smallest number of pictures: two of them show how much patches vary, while the third is left out."""


class Layout(nn.Module):
    """The mean patch of each place, and the whitening of the deviations from it.

    A place is a share of the height and of the width, so that pictures of all sizes have the same places. A distance is
    the length of a whitened deviation: a shrunk Mahalanobis distance.
    """

    means: Tensor  # [rows,columns,C]
    counts: Tensor  # [rows,columns] int64, the number of patches of each place; 0: not known
    variance: Tensor  # float32, the mean variance of the deviations

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.whitening = Whitening(channels)
        self.register_buffer("means", torch.zeros(1, 1, channels))
        self.register_buffer("counts", torch.zeros(1, 1, dtype=torch.int64))
        self.register_buffer("variance", torch.zeros(()))
        may_be_missing(self, "counts", "variance")

    def forward(self, embedding: Tensor) -> Tensor:
        """The distances of the cells of whole pictures: [n,C,h,w] -> [n,h,w]."""
        count, _, height, width = embedding.shape
        own = places(height, width, self.means.shape[0], self.means.shape[1], embedding.device).repeat(count)
        return self.distances(embedding.movedim(1, -1).flatten(0, 2), own).view(count, height, width)

    def distances(self, patches: Tensor, own: Tensor) -> Tensor:
        """The distances [p] of patches [p,C] from the places with the numbers `own` [p]."""
        deviations = patches.float() - self.means.flatten(0, 1)[own]
        lengths: Tensor = torch.linalg.vector_norm(self.whitening(deviations), dim=1)
        return lengths

    def scatter(self) -> Tensor:
        """The scatter matrix [C,C] float64 of the deviations, to rounding.

        Raises NotTeachable if the number of patches is not known.
        """
        require_count("layout of thumbnails", self.counts.amin())
        return self.whitening.covariance(float(self.variance)) * degrees_of_freedom(self.counts)


def places(height: int, width: int, rows: int, columns: int, device: torch.device) -> Tensor:
    """For each cell of a picture of `height` x `width` cells, the number of its place: [height * width] int64.

    There are `rows` x `columns` places, numbered row by row. A cell has the place in which its centre lies.
    """
    y, x = (
        (2 * torch.arange(cells, device=device) + 1) * places // (2 * cells)
        for cells, places in ((height, rows), (width, columns))
    )
    return (y[:, None] * columns + x).flatten()


def degrees_of_freedom(counts: Tensor) -> int:
    """The number of independent deviations from the means of places with `counts` patches: n - 1 of n at a place."""
    return int(counts.sum()) - int((counts > 0).sum())


class LayoutFitter:
    """Keeps sums for each fold of the pictures, so that the sums without a fold are those of the others.

    Places are the cells of the first picture. The sums are those of differences to its patches, so that rounding errors
    are small.
    """

    def __init__(self, channels: int, pictures: int, device: torch.device) -> None:
        self._folds = contiguous_folds(pictures)
        self._channels, self._device = channels, device
        self._added = 0
        self._begin(torch.empty(0, channels, device=device), (0, 0))

    @staticmethod
    def bytes(channels: int, cells: int) -> int:
        """The most bytes that a fit to pictures of at most this number of cells takes."""
        sums = FOLDS * (8 * channels**2 + 4 * cells * (channels + 1))
        return sums + 3 * 8 * cells * channels + moments_bytes(channels)

    def _begin(self, patches: Tensor, grid: tuple[int, int]) -> None:
        """Takes the patches [p,C] of the first picture, which has `grid` cells."""
        count, folds = len(patches), len(self._folds)
        self._grid, self._first = grid, patches
        self._counts = torch.zeros(folds, count, device=self._device)
        self._sums = torch.zeros(folds, count, self._channels, device=self._device)
        size = folds, self._channels, self._channels
        self._products = torch.zeros(size, dtype=torch.float64, device=self._device)

    def add(self, embedding: Tensor) -> None:
        """Adds the next picture, [C,h,w]."""
        height, width = embedding.shape[1:]
        patches = embedding.flatten(1).T.float()
        if not self._added:
            self._begin(patches.clone(), (height, width))
        self._add(patches, self.places(height, width))

    def _add(self, patches: Tensor, own: Tensor) -> None:
        """Adds patches [p,C] of the next picture, with the numbers of their places [p]."""
        fold = next(number for number, fold in enumerate(self._folds) if self._added in fold)
        differences = patches - self._first[own]
        self._counts[fold].index_add_(0, own, torch.ones(len(own), device=self._device))
        self._sums[fold].index_add_(0, own, differences)
        self._products[fold] += differences.T @ differences
        self._added += 1

    def places(self, height: int, width: int) -> Tensor:
        """The place of each cell of a picture of `height` x `width` cells, after the first picture: see `places`."""
        return places(height, width, *self._grid, self._device)

    def fit(self, without: range | None = None) -> Layout:
        """The layout of all pictures, or of all but those of a fold.

        Raises InvalidDataset for fewer than LEAST_PICTURES pictures in all.
        """
        if self._added < LEAST_PICTURES:
            raise InvalidDataset(
                f"thumbnails need at least {LEAST_PICTURES} pictures to fit to, and there are {self._added}; give more "
                "pictures, or leave out tiling.thumbnail"
            )
        return self._fit(without)

    def _fit(self, without: range | None) -> Layout:
        kept = [number for number, fold in enumerate(self._folds) if not without or fold.start != without.start]
        counts, sums = self._counts[kept].sum(0)[:, None], self._sums[kept].double().sum(0)  # [p,1], [p,C]
        # Pictures of another ratio of edges may have no cell in some of the places.
        means = torch.where(counts > 0, sums / counts.clamp(min=1), sums.sum(0) / counts.sum())
        between = sums / counts.clamp(min=1).sqrt()
        moments = Moments(self._channels, self._device)
        whole = counts.long()
        moments.count = degrees_of_freedom(whole) + 1
        moments.scatter = self._products[kept].sum(0) - between.T @ between
        layout = Layout(self._channels)
        layout.whitening.fit(moments)
        layout.means = (self._first + means.float()).view(*self._grid, -1)
        layout.counts = whole.view(self._grid)
        layout.variance = (moments.scatter.trace() / (max(moments.count - 1, 1) * self._channels)).float()
        return layout

    @property
    def product(self) -> Tensor:
        """A matrix [C,C] like the one that `fit` decomposes, which takes most of its time."""
        return self._products.sum(0)

    def state(self) -> dict[str, Tensor]:
        """What another fitter needs to continue this one."""
        return {
            "counts": torch.tensor([self._added, *self._grid]),
            "first": self._first,
            "numbers": self._counts,
            "sums": self._sums,
            "products": self._products,
        }

    def load_state(self, state: Mapping[str, Tensor]) -> None:
        """Continues the fitter whose `state` this is."""
        self._added, rows, columns = state["counts"].tolist()
        self._begin(state["first"].to(self._device, copy=True), (rows, columns))
        for own, saved in ((self._counts, "numbers"), (self._sums, "sums"), (self._products, "products")):
            own.copy_(state[saved])


class LayoutUpdate(LayoutFitter):
    """Adds pictures to a fitted layout, whose places stay. Folds are those of the added pictures.

    Sums are those of differences to the means of the layout, so that its own sums are 0.
    """

    def __init__(self, layout: Layout, pictures: int) -> None:
        super().__init__(layout.means.shape[-1], pictures, layout.means.device)
        self._folds.append(range(pictures, pictures))  # no added picture belongs to it: what the layout knows
        rows, columns = layout.means.shape[:2]
        self._begin(layout.means.flatten(0, 1), (rows, columns))
        self._counts[-1], self._products[-1] = layout.counts.flatten(), layout.scatter()

    def add(self, embedding: Tensor, counted: Tensor | None = None) -> None:
        """Adds the next picture, [C,h,w]. `counted` [h,w] bool says which of its cells are learned; None: all."""
        own = self.places(*embedding.shape[1:])
        if counted is not None:
            own = own[counted.flatten().to(own.device)]
        self._add(counted_patches(embedding, counted).float(), own)

    def fit(self, without: range | None = None) -> Layout:
        """The layout of what it knew and of all added pictures, or of all but those of a fold."""
        return self._fit(without)
