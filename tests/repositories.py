"""Putting versions into a model repository, and damaging them."""

import json
import shutil
from pathlib import Path


def add_version(source: Path, root: Path, name: str, version: int, *, note: str = "", damaged: bool = False) -> Path:
    """Renames a copy of an artifact into its place, as a version of a model; another `note` is another content."""
    made = root / f".{name}-{version}"
    shutil.copytree(source, made)
    manifest = json.loads((made / "manifest.json").read_text())
    manifest["provenance"]["dataset"] += note
    (made / "manifest.json").write_text(json.dumps(manifest | {"name": name, "version": version}))
    if damaged:
        flip_a_bit(made)
    target = root / name / str(version)
    target.parent.mkdir(exist_ok=True)
    if target.exists():
        target.rename(root / f".{name}-{version}-old")
    made.rename(target)
    shutil.rmtree(root / f".{name}-{version}-old", ignore_errors=True)
    return target


def flip_a_bit(version: Path) -> None:
    """One of its weights is another now."""
    weights = bytearray((version / "weights.safetensors").read_bytes())
    weights[-1] ^= 1
    (version / "weights.safetensors").write_bytes(weights)
