"""How a detector's network is executed: as fast as the device allows, and saying the same."""

from app.runtime.build import build_network, require
from app.runtime.network import Eager, Network, Precision
from app.runtime.options import PrecisionChoice, RunOptions, Runtime
from app.runtime.program import Program
from app.runtime.shapes import peak_bytes
from app.runtime.tracing import trace

__all__ = [
    "Eager",
    "Network",
    "Precision",
    "PrecisionChoice",
    "Program",
    "RunOptions",
    "Runtime",
    "build_network",
    "peak_bytes",
    "require",
    "trace",
]
