"""Writes the requirements of the images with the hashes of all their files: `python -m scripts.supply.lock`.

`requirements/gpu.txt` has everything, with PyPI's torch for CUDA. `requirements/cpu.txt` lacks torch and what only its
CUDA build needs; `requirements/torch.txt` has the version of torch, whose CPU build is not on PyPI.
`requirements/ray.txt` has what the extra `ray` needs in addition to either. `requirements/build.txt` has the tools that
build the images. The versions are those of `constraints.txt`; versions that it lacks stay as they are in the files, or
else are the newest.

`--check` writes nothing, and fails if the files do not fit `pyproject.toml` and `constraints.txt`; it needs no network.
Needs uv, which `make supply` installs.
"""

import argparse
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "requirements"
CONSTRAINTS = ROOT / "constraints.txt"
EXTRAS = ("mqtt", "otel")
"""The extras in the images."""
ADDED = ("ray",)
"""The extras that images have if they are built with `--build-arg EXTRA=`, each with a file of its own."""
TOOLS = ("cyclonedx-bom", "hatchling")
CUDA = re.compile(r"torch|triton|(nvidia|cuda)-.*")
"""The packages that `cpu.txt` lacks."""
OLDEST_PYTHON = "3.11"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a file does not fit")
    if not parser.parse_args().check:
        write()
    found = problems()
    for each in found:
        print(each, file=sys.stderr)
    raise SystemExit(bool(found))


def write() -> None:
    """Writes all files."""
    resolve(wanted(), FOLDER / "gpu.txt")
    needless = [name for name in pinned(FOLDER / "gpu.txt") if CUDA.fullmatch(name)]
    resolve(wanted(), FOLDER / "cpu.txt", needless)
    for extra in ADDED:
        resolve([*wanted(), *extras()[extra]], FOLDER / f"{extra}.txt", pinned(FOLDER / "gpu.txt"), FOLDER / "gpu.txt")
    resolve(TOOLS, FOLDER / "build.txt")
    (FOLDER / "torch.txt").write_text(f"torch=={pinned(FOLDER / 'gpu.txt')['torch']}\n")


def wanted() -> list[str]:
    """The direct requirements of the images."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return [*project["dependencies"], *(line for extra in EXTRAS for line in extras()[extra])]


def extras() -> dict[str, list[str]]:
    """The direct requirements of each extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    found: dict[str, list[str]] = project["optional-dependencies"]
    return found


def resolve(requirements: Iterable[str], target: Path, without: Iterable[str] = (), *like: Path) -> None:
    """Writes the requirements, all that they need, and their hashes. Keeps the versions that the file has already.

    without: packages that the file leaves out
    like: files whose versions it must fit, besides `constraints.txt`
    """
    with tempfile.NamedTemporaryFile("w", suffix=".in") as file:
        file.write("\n".join(requirements))
        file.flush()
        command = [sys.executable, "-m", "uv", "pip", "compile", file.name, "--output-file", str(target), "--quiet"]
        options = ["--universal", "--python-version", OLDEST_PYTHON, "--generate-hashes", "--no-header"]
        options += ["--no-annotate", *(word for each in (CONSTRAINTS, *like) for word in ("--constraint", str(each)))]
        options += [word for name in without for word in ("--no-emit-package", name)]
        subprocess.run(command + options, check=True)


def problems() -> list[str]:
    """Why the files do not fit, a sentence each."""
    found = []
    known = pinned(CONSTRAINTS)
    files = {name: pinned(FOLDER / f"{name}.txt") for name in ("cpu", "gpu", "build", "torch", *ADDED)}
    for name, versions in files.items():
        for package, version in versions.items():
            if known.get(package, version) != version:
                found.append(f"{name}.txt has {package} {version}, and constraints.txt {known[package]}")
    for each in map(Requirement, wanted()):
        package = canonicalize_name(each.name)
        for name in ("gpu", "torch" if package == "torch" else "cpu"):
            there = files[name].get(package)
            if there is None or not each.specifier.contains(there):
                found.append(f"{name}.txt has {there or 'no'} {package}, and pyproject.toml wants {each}")
    for extra in ADDED:
        for each in map(Requirement, extras()[extra]):
            there = (files[extra] | files["gpu"]).get(canonicalize_name(each.name))
            if there is None or not each.specifier.contains(there):
                found.append(f"{extra}.txt has {there or 'no'} {each.name}, and pyproject.toml wants {each}")
        found += [f"{extra}.txt has {package}, and so has gpu.txt" for package in files[extra].keys() & files["gpu"]]
    if any(CUDA.fullmatch(package) for package in files["cpu"]):
        found.append("cpu.txt has packages for CUDA")
    if any(files["gpu"].get(package) != version for package, version in {**files["cpu"], **files["torch"]}.items()):
        found.append("cpu.txt and gpu.txt have different versions")
    hashed = ("cpu", "gpu", "build", *ADDED)
    found += [f"{name}.txt has no hash of {package}" for name in hashed for package in unhashed(name)]
    return [f"{each}; run `make lock`" for each in found]


def unhashed(name: str) -> list[str]:
    """The packages of a file that have no hash."""
    blocks = re.split(r"\n(?=\S)", (FOLDER / f"{name}.txt").read_text().strip())
    return [block.partition("=")[0] for block in blocks if block[0] != "#" and "--hash=sha256:" not in block]


def pinned(path: Path) -> dict[str, str]:
    """The versions by the names of the packages."""
    lines = re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", path.read_text(), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in lines}


if __name__ == "__main__":
    main()
