"""GPU kernels in Triton, whose package must be installed. `grouped_search.py` describes what they compute.

Arguments in capitals are compile-time constants. The number of the queries and the alignment of their memory are not,
so that a kernel is compiled once for a bank, and no request waits for a compilation.
"""

import triton
import triton.language as tl


@triton.jit(do_not_specialize=["count"])  # type: ignore[untyped-decorator]  # Triton's language has no Python types
def group_minima(
    queries: tl.tensor,  # [count,CHANNELS] float16
    bank: tl.tensor,  # [blocks*ROWS,CHANNELS] float16
    norms: tl.tensor,  # [blocks*ROWS] float32
    factors: tl.tensor,  # [count] float32
    minima: tl.tensor,  # [count,parts*ROWS] float32, written
    count: int,
    blocks: int,
    CHANNELS: tl.constexpr,
    GROUP: tl.constexpr,
    QUERIES: tl.constexpr,
    ROWS: tl.constexpr,
    STEP: tl.constexpr,
) -> None:
    """The smallest `norm + factor * product` of each group, for QUERIES queries and one part of the bank.

    A part is GROUP blocks of ROWS rows. Group i of a part has the i-th row of each block. So one thread holds all
    products of a group, and only the minima are written to memory.
    """
    part = tl.program_id(1)
    query = tl.program_id(0) * QUERIES + tl.arange(0, QUERIES)
    real = query < count
    step = tl.arange(0, STEP)
    factor = tl.load(factors + query, mask=real, other=0.0)
    query_places = queries + query[:, None].to(tl.int64) * CHANNELS + step[None, :]
    least = tl.full([QUERIES, ROWS], float("inf"), tl.float32)
    for block in range(part * GROUP, min(part * GROUP + GROUP, blocks)):
        row = block * ROWS + tl.arange(0, ROWS)
        row_places = bank + row[None, :].to(tl.int64) * CHANNELS + step[:, None]
        products = tl.zeros([QUERIES, ROWS], tl.float32)
        for first in range(0, CHANNELS, STEP):
            some = tl.load(query_places + first, mask=real[:, None], other=0.0)
            products = tl.dot(some, tl.load(row_places + first), products)
        least = tl.minimum(least, tl.load(norms + row)[None, :] + factor[:, None] * products)
    groups = tl.num_programs(1) * ROWS
    places = query[:, None].to(tl.int64) * groups + part * ROWS + tl.arange(0, ROWS)[None, :]
    tl.store(minima + places, least, mask=real[:, None])


@triton.jit(do_not_specialize_on_alignment=["queries"])  # type: ignore[untyped-decorator]  # as above
def nearest_in_groups(
    queries: tl.tensor,  # [count,channels] float32
    bank: tl.tensor,  # [rows,channels] float32
    minima: tl.tensor,  # [count,parts*ROWS] float32
    norms: tl.tensor,  # [count] float32
    errors: tl.tensor,  # [count] float32
    group_errors: tl.tensor,  # [parts*ROWS] float32
    nearest: tl.tensor,  # [count] int64, written
    rows: int,
    channels: int,
    parts: int,
    reach: float,
    GROUP: tl.constexpr,
    ROWS: tl.constexpr,
    CHUNK: tl.constexpr,
    STEP: tl.constexpr,
) -> None:
    """The row nearest to one query, by float32 differences. Skips groups with bounds of `reach` times the best or more.

    Of each CHUNK of groups, those with the smallest bounds are searched first.
    """
    query = tl.program_id(0).to(tl.int64)
    groups = parts * ROWS
    norm, error = tl.load(norms + query), tl.load(errors + query)
    step, member = tl.arange(0, STEP), tl.arange(0, GROUP)
    best, place = float("inf"), 0
    for start in range(0, groups, CHUNK):
        group = start + tl.arange(0, CHUNK)
        inside = group < groups
        square = norm + tl.load(minima + query * groups + group, mask=inside, other=float("inf"))
        slack = error + tl.load(group_errors + group, mask=inside, other=0.0)
        bounds = tl.maximum(tl.sqrt(tl.maximum(square, 0.0)) - slack, 0.0)
        bound = tl.min(bounds, 0)
        while bound < best * reach:
            chosen = start + tl.argmin(bounds, 0)
            first_row = chosen // ROWS * (GROUP * ROWS) + chosen % ROWS
            row = first_row + member * ROWS
            squares = tl.zeros([GROUP, STEP], tl.float32)
            for channel in range(0, channels, STEP):
                some = channel + step < channels
                x = tl.load(queries + query * channels + channel + step, mask=some, other=0.0)
                row_places = bank + row[:, None].to(tl.int64) * channels + channel + step[None, :]
                y = tl.load(row_places, mask=(row < rows)[:, None] & some[None, :], other=0.0)
                difference = x[None, :] - y
                squares += difference * difference
            distances = tl.where(row < rows, tl.sqrt(tl.sum(squares, 1)), float("inf"))
            distance = tl.min(distances, 0)
            if distance < best:
                best = distance
                place = first_row + tl.argmin(distances, 0) * ROWS
            bounds = tl.where(group == chosen, float("inf"), bounds)
            bound = tl.min(bounds, 0)
    tl.store(nearest + query, place)
