"""Tessera: tiled visual anomaly detection over HTTP."""

import os

# OpenMP's threads spin while they wait for each other, and take the processor from whoever they wait for where cores
# are shared or a container has a quota: 20 times slower was measured. It is read once, when torch is imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
    # About 0.1 ms, which most waits are shorter than: 5 % more pictures a second, and none fewer on busy cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# What is called float32 is computed in float32: on a GPU cuDNN would round what convolutions multiply to 10 bits.
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
