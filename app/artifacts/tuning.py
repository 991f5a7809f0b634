"""Choosing how a model is run: the fastest way that reproduces its golden sample, on this processor."""

import logging

import torch

from app.artifacts.golden import Golden, golden_difference
from app.artifacts.manifest import GoldenRecord
from app.detectors import Patchcore
from app.errors import GoldenMismatch
from app.pipeline import Loops, TiledModel, best_batch_tiles, rank
from app.runtime import Candidate, Precision, Program, RunOptions, build_network, candidates, trace
from app.tiling import Size

TRIAL_TILES = 2
KERNELS_S, LANES_S = 1.0, 0.5
"""How long comparing kernels, and numbers of lanes, may take on a CPU, about."""
KERNELS_GAIN, LANES_GAIN = 0.97, 0.9
"""The share of the first choice's time that another may take at most. Fewer lanes must gain more, since the stages
beside the network gain from lanes, too.
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
    if options.batch_tiles is None or tile_size is None:
        _reproduce(model, program, allowed, golden, record)
        model.batch_tiles = options.batch_tiles or model.batch_tiles
    else:
        _measure(model, program, tile_size, allowed, golden, record, options)
    if not options.keep_weights:
        program.release_weights()


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
