"""Pictures per second through HTTP, beside what else an engineer could put around anomalib."""
