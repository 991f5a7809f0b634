"""The version of the program, and the name of its distribution, both as in `pyproject.toml`."""

VERSION = "0.2.0"
DISTRIBUTION = "tessera-inspection"
"""The command is `tessera` and the package `app`. On PyPI the name `tessera` belongs to another project."""
