"""Gathers the wheels that a machine with a GPU lacks, into a folder that git ignores.

    python -m scripts.gpu.gather [--python 3.12] [--into .gpu-kit]

Also builds the project's own wheel, which has the command `tessera`. Prints the bytes of the wheels and of the
tree, and fails if their sum is over the limit of such a machine.
"""

import argparse
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
LIMIT_BYTES = 64 * 2**20
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
CONSTRAINTS = (ROOT / "constraints.txt", ROOT / "tests" / "parity" / "requirements.txt")
"""The files with the versions. The first file takes precedence."""
SOURCES = {"freia"}
"""Packages published without wheels. They are pure Python, so that wheels built here work on the other machine."""


def main() -> None:
    own = f"{sys.version_info.major}.{sys.version_info.minor}"
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", default="3.12", help=f"the other machine's; this one has {own}")
    parser.add_argument("--into", type=Path, default=ROOT / ".gpu-kit")
    given = parser.parse_args()
    gather(given.python, given.into)
    report(given.into)


def gather(python: str, folder: Path) -> None:
    """Removes old wheels from the folder, downloads the wheels, and builds the project's own wheel."""
    folder.mkdir(parents=True, exist_ok=True)
    for wheel in folder.glob("*.whl"):
        wheel.unlink()
    platforms = [option for platform in PLATFORMS for option in ("--platform", platform)]
    target = ["--python-version", python, "--implementation", "cp", *platforms, "--only-binary", ":all:"]
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    wanted = requirements()
    ready = [each for each in wanted if _key(each) not in SOURCES]
    built = [each for each in wanted if _key(each) in SOURCES]
    subprocess.run([*pip, "download", "--no-deps", "--dest", str(folder), *target, *ready], check=True)
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(folder), *built, str(ROOT)], check=True)


def requirements() -> list[str]:
    """The packages of wheels.txt with their versions."""
    versions: dict[str, str] = {}
    for path in reversed(CONSTRAINTS):
        versions |= {_key(line): line for line in _lines(path)}
    names = _lines(HERE / "wheels.txt")
    unknown = [name for name in names if _key(name) not in versions]
    if unknown:
        raise SystemExit(f"{', '.join(unknown)} of wheels.txt have no version in constraints.txt; add one")
    return [versions[_key(name)] for name in names]


def _lines(path: Path) -> list[str]:
    """The lines of a requirements file, without comments."""
    lines = (line.split("#")[0].strip() for line in path.read_text().splitlines())
    return [line for line in lines if line]


def _key(requirement: str) -> str:
    return requirement.split("==")[0].lower().replace("_", "-")


def report(folder: Path) -> None:
    """Prints the wheels and the bytes; raises SystemExit if wheels and tree together are over the limit."""
    wheels = sorted(folder.glob("*.whl"))
    for wheel in wheels:
        print(f"{wheel.stat().st_size:>12,} {wheel.name}")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    tree = sum((ROOT / name).stat().st_size for name in listed.split("\0") if name and (ROOT / name).is_file())
    packed = sum(wheel.stat().st_size for wheel in wheels)
    print(f"{packed:>12,} bytes in {len(wheels)} wheels\n{tree:>12,} bytes in the tree")
    print(f"{packed + tree:>12,} bytes together, of {LIMIT_BYTES:,}")
    if packed + tree > LIMIT_BYTES:
        raise SystemExit("the tree and the wheels are too large for such a machine; leave something out of wheels.txt")


if __name__ == "__main__":
    main()
