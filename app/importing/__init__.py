"""Taking over models that were trained with anomalib, without anomalib, and without running anything of their files."""
