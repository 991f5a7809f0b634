"""Resizes pictures whose rows are read one after the other, in the memory of the result."""

import torch
from torch import Tensor
from torch.nn import functional as F

from app.pipeline.rows import RowSource
from app.tiling import Size

PIXELS = 2**22
"""The number of pixels that are read at once, but at least one row."""


def resized(source: RowSource, size: Size, *, antialias: bool = True) -> Tensor:
    """The whole picture at another size, [C,h,w] float32: bilinear, as `torch.nn.functional.interpolate` resizes it.

    Reads all rows of the source, in bands: their columns are resized, and added to the rows of the result by weights.
    """
    (height, width), (tall, wide) = source.size, size
    step, out = max(1, PIXELS // width), torch.empty(0)
    for top in range(0, height, step):
        rows = range(top, min(top + step, height))
        band = source.read(len(rows)).float()
        if width != wide:
            flat = (len(rows), wide)
            band = torch.cat(
                [F.interpolate(each[None, None], size=flat, mode="bilinear", antialias=antialias)[0] for each in band]
            )
        if not top:
            out = torch.zeros(len(band), tall, wide)
        first, shares = _shares(rows, height, tall, antialias)
        own = out[:, first : first + len(shares)]
        torch.baddbmm(own, shares.expand(len(band), -1, -1), band, out=own)
    return out


def _shares(rows: range, before: int, after: int, antialias: bool) -> tuple[int, Tensor]:
    """How much these rows contribute to rows of the result: the first of these, and [results,rows] float32.

    before, after: the numbers of rows of the picture and of the result
    """
    if before == after:
        return rows.start, torch.eye(len(rows))
    scale = before / after
    reach = max(scale, 1.0) if antialias else 1.0
    first = max(0, int((rows.start - reach) / scale) - 1)
    last = min(after, int((rows.stop + reach) / scale) + 2)
    centres = (torch.arange(first, last, dtype=torch.float64) + 0.5) * scale
    if not antialias:
        centres = centres.clamp(min=0.5, max=before - 0.5)  # beyond the outer rows, the picture continues with them
    span = int(2 * reach) + 3
    near = (centres - reach).floor().long()[:, None] + torch.arange(span)  # the rows on which each result depends
    weights = (1 - (near + 0.5 - centres[:, None]).abs() / reach).clamp(min=0) * ((near >= 0) & (near < before))
    weights /= weights.sum(1, keepdim=True)
    shares = torch.zeros(len(centres), len(rows), dtype=torch.float64)
    own = (near >= rows.start) & (near < rows.stop)
    result, place = own.nonzero(as_tuple=True)
    shares[result, near[result, place] - rows.start] = weights[result, place]
    return first, shares.float()
