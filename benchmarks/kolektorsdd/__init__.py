"""Quality, time and memory of training on KolektorSDD, beside anomalib."""
