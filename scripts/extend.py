"""Makes the environment that runs this program also see the packages of another one; its own take precedence.

.venv-parity/bin/python scripts/extend.py .venv
"""

import sys
import sysconfig
from pathlib import Path


def main(other: str) -> None:
    packages = sysconfig.get_path("purelib", "venv", {"base": str(Path(other).absolute())})
    own = Path(sysconfig.get_path("purelib"))
    (own / "extend.pth").write_text(f"import site; site.addsitedir({packages!r})\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
