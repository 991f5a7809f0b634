"""Executes a detector's network as fast as the device allows, with the same results."""

from app.runtime.candidates import Candidate, build_network, candidates
from app.runtime.hardware import precisions
from app.runtime.network import Eager, Kernels, Network, Precision, Runtime
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
    "Runtime",
    "build_network",
    "candidates",
    "peak_bytes",
    "precisions",
    "trace",
]
