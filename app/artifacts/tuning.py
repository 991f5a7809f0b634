"""Chooses how a model is run: the fastest way on this processor that reproduces the golden sample."""

import logging
import math
from collections.abc import Sequence
from dataclasses import replace

import torch

from app.artifacts.golden import Golden, golden_difference
from app.artifacts.manifest import GoldenRecord
from app.detectors import SearchMode
from app.errors import GoldenMismatch, InvalidDevice
from app.pipeline import Execution, Loops, TiledModel, best_batch_tiles
from app.runtime import Candidate, Eager, Precision, Program, RunOptions, build_network, candidates, trace
from app.tiling import Size
from app.trials import Trial, rank

TRIAL_TILES = 2
KERNELS_S, LANES_S = 1.0, 0.5
"""Approximate time limits in seconds for comparing kernels and numbers of lanes on a CPU."""
KERNELS_GAIN, LANES_GAIN = 0.97, 0.9
"""A challenger must take at most this share of the champion's time. Fewer lanes must gain more, because more lanes also
hide the time of other stages.
"""

_log = logging.getLogger(__name__)


def tuned(model: TiledModel, golden: Golden, record: GoldenRecord, options: RunOptions) -> TiledModel:
    """The model with the fastest execution that the options allow and that reproduces the golden sample.

    Nothing is measured if `options.batch_tiles` is None. Raises GoldenMismatch if no network reproduces the sample, and
    InvalidDevice for options that the device does not support.
    """
    approximate = options.search is SearchMode.approximate
    # Distances of an approximate search may be 11 % too large: the golden sample is reproduced with the exact one.
    _choose_search(model, SearchMode.exact if approximate else options.search, options)
    try:
        model = _traced(model, golden, record, options)
    except NotImplementedError as error:
        model = _untraced(model, golden, record, options, str(error))
    if approximate:
        _choose_search(model, options.search, options)
    return model


def _choose_search(model: TiledModel, mode: SearchMode, options: RunOptions) -> None:
    if options.batch_tiles is None or model.tile_size is None:
        model.detector.choose_search(mode)
        return
    with _loops(model, model.tile_size, options) as loops:
        model.detector.choose_search(mode, loops.seconds)


def _loops(model: TiledModel, tile_size: Size, options: RunOptions) -> Loops:
    """Threads for measurements, as many as there will be lanes."""
    processors = torch.get_num_threads()
    return Loops(model.device, tile_size, min(options.lanes, processors), processors)


def _untraced(model: TiledModel, golden: Golden, record: GoldenRecord, options: RunOptions, reason: str) -> TiledModel:
    """The model with its network run by the detector's own modules. `reason` says why it cannot be a program."""
    if options.precision not in ("auto", Precision.float32):
        raise InvalidDevice(
            f"precision is {options.precision}, and this network runs only in float32 ({reason}); use auto or float32"
        )
    _log.warning("the network is run by the detector's own modules, which is slower: %s", reason)
    batch_tiles = options.batch_tiles or model.batch_tiles
    model = model.with_execution(Execution(Eager(model.detector), batch_tiles, fallback=reason))
    require_golden(model, golden, record)
    return model


def _traced(model: TiledModel, golden: Golden, record: GoldenRecord, options: RunOptions) -> TiledModel:
    """The model with its network run as a program; raises NotImplementedError if the network cannot be traced."""
    program, tile_size = trace(model.detector), model.tile_size
    allowed = candidates(program, model.device, options, tile_size)
    if options.batch_tiles is None or tile_size is None:
        model = _reproducing(model, program, allowed, golden, record)
        model = model.with_execution(replace(model.execution, batch_tiles=options.batch_tiles or model.batch_tiles))
    else:
        model = _measured(model, program, tile_size, allowed, golden, record, options)
    if not options.keep_weights:
        program.release_weights()
    return model


def _measured(
    model: TiledModel,
    program: Program,
    tile_size: Size,
    allowed: tuple[Candidate, ...],
    golden: Golden,
    record: GoldenRecord,
    options: RunOptions,
) -> TiledModel:
    lanes = options.lanes if model.device.type == "cpu" else 1
    processors = torch.get_num_threads()
    with _loops(model, tile_size, options) as loops:
        trials: Sequence[Trial[Candidate]] = ()
        if model.device.type == "cpu" and len(allowed) > 1:
            trials = rank(
                allowed,
                lambda candidate: build_network(program, candidate, tile_size),
                lambda network: loops.seconds_a_tile(network, TRIAL_TILES),
                KERNELS_S,
                KERNELS_GAIN,
            )
            tried = tuple(trial.candidate for trial in trials)
            allowed = tried + tuple(candidate for candidate in allowed if candidate not in tried)
        model = _reproducing(model, program, allowed, golden, record)
        batch_tiles = options.batch_tiles or best_batch_tiles(model, program, tile_size, loops)
    model = model.with_execution(Execution(model.network, batch_tiles, lanes, trials=tuple(trials)))
    if not 1 < lanes <= processors:
        return model
    return model.with_execution(replace(model.execution, lanes=_best_lanes(model, tile_size, lanes, processors)))


@torch.inference_mode()
def _best_lanes(model: TiledModel, tile_size: Size, most: int, processors: int) -> int:
    """The best number of pictures that are processed at the same time: `most`, unless fewer are clearly faster.

    Compares the network and the distances of one batch. With a large memory bank the distances take most of the time.
    """
    numbers = [most, *(1 << power for power in reversed(range((most - 1).bit_length())))]
    tiles = torch.zeros(model.batch_tiles, 3, *tile_size, device=model.device)
    features = model.detector.typical_features(model.run(tiles))
    places = [(0, 0)] * model.batch_tiles

    def work() -> None:
        model.run(tiles)
        model.detector.measure(features, places)

    def seconds(lanes: int) -> float:
        with Loops(model.device, tile_size, lanes, processors) as loops:
            return loops.seconds(work)

    return rank(numbers, lambda lanes: lanes, seconds, LANES_S, LANES_GAIN)[0].candidate


def _reproducing(
    model: TiledModel, program: Program, allowed: tuple[Candidate, ...], golden: Golden, record: GoldenRecord
) -> TiledModel:
    """The model with the first of the networks that reproduces the golden sample."""
    for candidate in allowed:
        network = build_network(program, candidate, model.tile_size)
        model = model.with_execution(replace(model.execution, network=network))
        try:
            require_golden(model, golden, record)
        except GoldenMismatch as mismatch:
            refusal = mismatch
            _log.info("%s", mismatch)
        else:
            return model
    raise refusal


def require_golden(model: TiledModel, golden: Golden, record: GoldenRecord) -> None:
    """Raises GoldenMismatch if the model, as it is run, does not reproduce the golden sample."""
    precision = model.network.precision
    difference, tolerance = golden_difference(model, golden), _tolerance(record, precision)
    search = model.detector.search
    if search is not None and search.mode is SearchMode.approximate:
        tolerance = math.inf  # its distances differ from those of the sample, but must not be NaN
    if not difference <= tolerance:
        raise GoldenMismatch(
            f"the golden sample's map or score is off by {difference:.2g} of the map's largest value in {precision}, "
            f"and at most {tolerance:g} is allowed: the files or the computation "
            "differ from those at the end of the training"
        )


def _tolerance(record: GoldenRecord, precision: Precision) -> float:
    return record.tolerance if precision is Precision.float32 else record.reduced_precision_tolerance
