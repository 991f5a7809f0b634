"""Tessera: tiled visual anomaly detection over HTTP."""

__version__ = "0.1.0"
