"""Choosing how a model is run: what reproduces its golden sample, and how many tiles at once."""

import logging

from app.artifacts.golden import Golden, golden_difference
from app.artifacts.manifest import GoldenRecord
from app.detectors import Patchcore
from app.errors import GoldenMismatch
from app.pipeline import TiledModel, best_batch_tiles
from app.runtime import Precision, Program, RunOptions, build_network, require, trace

_log = logging.getLogger(__name__)


def tune(model: TiledModel, golden: Golden, record: GoldenRecord, options: RunOptions) -> None:
    """Gives the model the best network that the options allow and that reproduces the golden sample.

    Raises GoldenMismatch if none does, and InvalidDevice or UnavailableRuntime for options that cannot be met.
    """
    if isinstance(model.detector, Patchcore):
        model.detector.search = options.search
    program = trace(model.detector)
    _reproduce(model, program, golden, record, options)
    if not options.keep_weights:
        program.release_weights()
    if options.batch_tiles is not None:
        model.batch_tiles = options.batch_tiles or best_batch_tiles(model, program)


def _reproduce(model: TiledModel, program: Program, golden: Golden, record: GoldenRecord, options: RunOptions) -> None:
    for precision in require(options, model.device):
        model.network = build_network(program, model.device, options.runtime, precision, model.tile_size)
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
