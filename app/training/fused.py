"""The network of a detector that is fitted in one pass, run as fast as in serving."""

from dataclasses import replace

from app.pipeline import TiledModel
from app.runtime import Kernels, RunOptions, build_network, candidates, trace


def with_fused_network(model: TiledModel) -> TiledModel:
    """The model with its frozen network run by fused kernels in float32. The results agree to rounding.

    The kernels are not chosen by a measurement, so that equal trainings give equal artifacts on one machine. On a GPU,
    and if the network cannot be traced, the detector's own modules run.
    """
    if model.device.type != "cpu":
        return model
    try:
        program = trace(model.detector)
    except NotImplementedError:
        return model
    allowed = candidates(program, model.device, RunOptions(), model.tile_size)
    candidate = next(each for each in allowed if each.kernels is not Kernels.winograd)
    network = build_network(program, candidate, model.tile_size)
    return model.with_execution(replace(model.execution, network=network))
