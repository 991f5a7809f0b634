"""Pictures per second over HTTP, beside two common ways to serve anomalib."""
