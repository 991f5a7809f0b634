"""How a detector's network is executed: as fast as the device allows, and saying the same."""

from app.runtime.candidates import Candidate, build_network, candidates
from app.runtime.hardware import precisions
from app.runtime.network import Eager, Kernels, Network, Precision
from app.runtime.options import PrecisionChoice, RunOptions
from app.runtime.program import Program
from app.runtime.shapes import peak_bytes
from app.runtime.tracing import trace

__all__ = [
    "Candidate",
    "Eager",
    "Kernels",
    "Network",
    "Precision",
    "PrecisionChoice",
    "Program",
    "RunOptions",
    "build_network",
    "candidates",
    "peak_bytes",
    "precisions",
    "trace",
]
