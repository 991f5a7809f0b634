"""The proof of the GPU path: what works on a card, how fast, and beside what. `scripts/gpu/run.sh` runs it."""
