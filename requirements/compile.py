"""Compiles the modules that the program imports, for images: the others would take 80 MB more, and are rarely imported.

The compiled files have hashes of their sources instead of times, so that equal sources give equal files. Fails if there
are compiled files with times.
"""

import py_compile
import sys
from importlib import import_module
from pathlib import Path

HERE = Path(sys.prefix)
COMMANDS = ("train", "predict", "evaluate", "calibrate", "import_", "watch", "models", "estimate")
LATE = ("torch._dynamo",)
"""Modules that torch imports only when an optimiser makes its first step."""

for name in ("app.main", "app.engine", *(f"app.cli.{command}" for command in COMMANDS), *LATE):
    import_module(name)
for module in list(sys.modules.values()):
    path = Path(getattr(module, "__file__", None) or "none")
    if path.suffix == ".py" and HERE in path.parents and path.is_file():  # some modules name files that do not exist
        py_compile.compile(str(path), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
for path in HERE.rglob("*.pyc"):
    if path.read_bytes()[4] & 1 == 0:  # the flags, PEP 552
        raise SystemExit(f"{path} has the time of its source: install packages with PIP_COMPILE=0")
