"""Where the models of a command are, unless `--models_dir` says it."""

import os
from pathlib import Path

MODELS_DIR = "TESSERA_MODELS_DIR"
"""The environment variable of the server's setting `models_dir`."""


def default_models_dir() -> Path:
    """The model repository of a command without `--models_dir`. An empty variable counts as not set."""
    return Path(os.environ.get(MODELS_DIR) or "models")
