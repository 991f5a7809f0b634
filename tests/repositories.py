"""Functions that add versions to a model repository, and damage them."""

import json
import shutil
from pathlib import Path


def add_version(source: Path, root: Path, name: str, version: int, *, note: str = "", damaged: bool = False) -> Path:
    """Copies an artifact, and renames the copy to `root/name/version`, in place of a version that is there.

    `note` is appended to the dataset in the manifest, so that the content changes. Returns the version's directory.
    """
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
    """Flips the lowest bit of the last byte of the weights; a second call restores it."""
    weights = bytearray((version / "weights.safetensors").read_bytes())
    weights[-1] ^= 1
    (version / "weights.safetensors").write_bytes(weights)
