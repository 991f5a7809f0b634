import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
TSC = ROOT / "tests/clients/typescript/node_modules/typescript/bin/tsc"
NODE = ROOT / ".venv-clients/bin/node"


@pytest.mark.clients
@pytest.mark.skipif(not (TSC.exists() and NODE.exists()), reason="no TypeScript; `make clients` installs it")
def test_the_page_passes_the_type_check() -> None:
    done = subprocess.run([NODE, TSC, "-p", ROOT / "tests/web"], capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout
