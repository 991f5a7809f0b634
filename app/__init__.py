"""Tessera: tiled visual anomaly detection over HTTP."""
