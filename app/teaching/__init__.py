"""Teaching: reviewed pictures become a new version of a model."""
