"""Tessera: tiled visual anomaly detection over HTTP."""

import os

# OpenMP's threads spin while they wait for each other, and take the processor from whoever they wait for where cores
# are shared or a container has a quota: 20 times slower was measured. About 10 us is longer than most waits, and harms
# nobody. GNU's OpenMP spins at all, once threads outnumber cores, only where waiting is called active. It is read once,
# when torch is imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ["OMP_WAIT_POLICY"] = "ACTIVE"
    os.environ.setdefault("GOMP_SPINCOUNT", "1000")

# What is called float32 is computed in float32: on a GPU cuDNN would round what convolutions multiply to 10 bits.
os.environ.setdefault("NVIDIA_TF32_OVERRIDE", "0")
