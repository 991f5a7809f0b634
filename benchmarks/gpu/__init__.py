"""Tests and measures the GPU path beside other programs and the machine's limits; `scripts/gpu/run.sh` runs it."""
