"""Choosing how a model is run: the fastest way that reproduces its golden sample, on this processor."""

import logging
from collections.abc import Callable
from time import perf_counter

import torch

from app.artifacts.golden import Golden, golden_difference
from app.artifacts.manifest import GoldenRecord
from app.detectors import Patchcore
from app.detectors.bounded import QUERIES_AT_ONCE, STEP, BoundedSearch, fast_codes, multiplied
from app.errors import GoldenMismatch
from app.pipeline import Loops, TiledModel, best_batch_tiles, rank
from app.runtime import Candidate, Precision, Program, RunOptions, build_network, candidates, trace
from app.tiling import Size

TRIAL_TILES = 2
SEARCH_ROWS, SEARCH_QUERIES, SEARCH_NOISE = 4096, 2048, 0.5
"""What a search is tried with: products of so many codes; then so many rows of the bank itself as queries, each moved
by this share of the distance between neighbours.
"""
SEARCH_S, KERNELS_S, LANES_S = 0.5, 1.0, 0.5
"""How long comparing searches, kernels, and numbers of lanes may take on a CPU, about."""
KERNELS_GAIN, LANES_GAIN = 0.97, 0.9
"""The share of the time of the first choice that another may take at most. Fewer lanes must gain more, since all other
stages gain from lanes, too.
"""

_log = logging.getLogger(__name__)


def tune(model: TiledModel, golden: Golden, record: GoldenRecord, options: RunOptions) -> None:
    """Gives the model the fastest network that the options allow and that reproduces the golden sample.

    Nothing is measured unless `options.batch_tiles` is given. Raises GoldenMismatch if no network reproduces the
    sample, and InvalidDevice or UnavailableRuntime for options that cannot be met.
    """
    if isinstance(model.detector, Patchcore):
        model.detector.search = options.search
    program, tile_size = trace(model.detector), model.tile_size
    allowed = candidates(program, model.device, options, tile_size)
    if options.batch_tiles is not None and isinstance(model.detector, Patchcore):
        _tune_search(model.detector)
    if options.batch_tiles is None or tile_size is None:
        _reproduce(model, program, allowed, golden, record)
        model.batch_tiles = options.batch_tiles or model.batch_tiles
    else:
        _measure(model, program, tile_size, allowed, golden, record, options)
    if not options.keep_weights:
        program.release_weights()


@torch.inference_mode()
def _tune_search(detector: Patchcore) -> None:
    """Chooses the type of a memory bank's codes, and how many patches are compared with it at a time, on a CPU."""
    if detector.memory_bank.device.type != "cpu":
        return
    products = [(codes, multiplied(codes, min(QUERIES_AT_ONCE), SEARCH_ROWS)) for codes in fast_codes()]
    codes = rank(products, lambda each: each[1], _seconds, SEARCH_S, KERNELS_GAIN)[0].candidate[0]
    detector.codes = codes
    search = detector.bank_search()
    bounded = search.bounded
    if not isinstance(bounded, BoundedSearch):
        return
    rows = search.bank[torch.arange(SEARCH_QUERIES) % len(search.bank)]
    sample = rows[:: SEARCH_QUERIES // STEP]
    neighbours = torch.cdist(sample, search.bank).topk(2, largest=False).values[:, 1].median()
    noise = torch.randn(rows.shape, generator=torch.Generator().manual_seed(0)) / rows.shape[1] ** 0.5
    queries = rows + SEARCH_NOISE * neighbours * noise

    def seconds(at_once: int) -> float:
        bounded.queries_at_once = at_once
        return _seconds(lambda: bounded.nearest(queries))

    trials = rank(QUERIES_AT_ONCE, lambda at_once: at_once, seconds, SEARCH_S, KERNELS_GAIN)
    bounded.queries_at_once = trials[0].candidate


def _seconds(work: Callable[[], object]) -> float:
    started = perf_counter()
    work()
    return perf_counter() - started


def _measure(
    model: TiledModel,
    program: Program,
    tile_size: Size,
    allowed: tuple[Candidate, ...],
    golden: Golden,
    record: GoldenRecord,
    options: RunOptions,
) -> None:
    lanes = options.lanes if model.device.type == "cpu" else 1
    processors = torch.get_num_threads()
    with Loops(model.device, tile_size, min(lanes, processors), processors) as loops:
        if model.device.type == "cpu" and len(allowed) > 1:
            model.trials = tuple(
                rank(
                    allowed,
                    lambda candidate: build_network(program, candidate, tile_size),
                    lambda network: loops.seconds_a_tile(network, TRIAL_TILES),
                    KERNELS_S,
                    KERNELS_GAIN,
                )
            )
            tried = tuple(trial.candidate for trial in model.trials)
            allowed = tried + tuple(candidate for candidate in allowed if candidate not in tried)
        _reproduce(model, program, allowed, golden, record)
        model.batch_tiles = options.batch_tiles or best_batch_tiles(model, program, tile_size, loops)
    model.lanes = _best_lanes(model, tile_size, lanes, processors) if processors >= lanes > 1 else lanes


def _best_lanes(model: TiledModel, tile_size: Size, most: int, processors: int) -> int:
    """How many pictures are worked on side by side: all lanes, unless fewer are clearly faster."""
    numbers = [most, *(1 << power for power in reversed(range((most - 1).bit_length())))]

    def seconds(lanes: int) -> float:
        with Loops(model.device, tile_size, lanes, processors) as loops:
            return loops.seconds_a_tile(model.network, model.batch_tiles)

    return rank(numbers, lambda lanes: lanes, seconds, LANES_S, LANES_GAIN)[0].candidate


def _reproduce(
    model: TiledModel, program: Program, allowed: tuple[Candidate, ...], golden: Golden, record: GoldenRecord
) -> None:
    """Gives the model the first of the networks that reproduces the golden sample."""
    for candidate in allowed:
        precision = candidate.precision
        model.network = build_network(program, candidate, model.tile_size)
        difference, tolerance = golden_difference(model, golden), _tolerance(record, precision)
        if difference <= tolerance:
            return
        _log.info("in %s the golden sample is off by %.2g, and %g is allowed", precision, difference, tolerance)
    raise GoldenMismatch(
        f"the golden sample's map or score is off by {difference:.2g} of the map's largest value in {precision}, and "
        f"at most {tolerance:g} is allowed: the files or the computation differ from those that were trained"
    )


def _tolerance(record: GoldenRecord, precision: Precision) -> float:
    return record.tolerance if precision == "float32" else record.reduced_precision_tolerance
