"""What Ray gives the process of a replica."""

from app.environment import variables_of
from app.heap import VARIABLES


def process_options(processors: float, gpus: float) -> dict[str, object]:
    """The options of an actor that computes with so many processors and GPUs."""
    variables = VARIABLES | variables_of(max(1, int(processors)))
    return {"num_cpus": processors, "num_gpus": gpus, "runtime_env": {"env_vars": variables}}
