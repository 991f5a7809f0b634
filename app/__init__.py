"""Tessera: tiled visual anomaly detection over HTTP."""

import os

# OpenMP's threads spin while they wait for each other, and take the processor from whoever they wait for where cores
# are shared or a container has a quota: 20 times slower was measured. It is read once, when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
