"""A program sets OpenMP's and Pillow's switches for its process; an import changes nothing."""

import os
import subprocess
import sys

import pytest

SPIN = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}


def run(program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if name not in SPIN} | variables
    return subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)


def test_imports_change_neither_the_environment_nor_pillow() -> None:
    program = """
import os, warnings
from PIL import Image
before = dict(os.environ), Image.MAX_IMAGE_PIXELS
import app.api, app.decoding, app.engine, app.environment, app.main
assert before == (dict(os.environ), Image.MAX_IMAGE_PIXELS)
assert "PIL" not in str(warnings.filters)
"""
    assert "OMP_WAIT_POLICY" not in run(program).stderr


def test_a_program_limits_how_long_threads_spin_before_torch_is_imported() -> None:
    program = "import os; from app.environment import prepare_process; prepare_process(); "
    program += "print(os.environ['OMP_WAIT_POLICY'], os.environ['GOMP_SPINCOUNT'])"
    found = run(program)
    assert found.stdout.split() == ["ACTIVE", "1000"]
    assert not found.stderr


def test_variables_that_the_environment_sets_are_kept() -> None:
    program = "import os; from app.environment import prepare_process; prepare_process(); "
    program += "print(os.environ['OMP_WAIT_POLICY'], os.environ.get('GOMP_SPINCOUNT'))"
    assert run(program, OMP_WAIT_POLICY="PASSIVE").stdout.split() == ["PASSIVE", "None"]


@pytest.mark.parametrize(
    "start",
    [
        "from app.environment import prepare_process; prepare_process()",
        "from app.engine import Engine; Engine(device='cpu')",
    ],
)
def test_a_program_that_imports_torch_first_is_warned(start: str) -> None:
    program = f"""
import os, sys
import torch
{start}
print("the variable is set", file=sys.stderr)
os.environ["OMP_WAIT_POLICY"] = "PASSIVE"
{start}
"""
    warning, after = run(program).stderr.split("the variable is set\n")
    assert "OMP_WAIT_POLICY=ACTIVE GOMP_SPINCOUNT=1000" in warning
    assert not after


def test_the_command_line_and_the_benchmarks_set_the_variables_before_they_import_torch() -> None:
    for module in ("app.__main__", "benchmarks"):
        program = f"""
import sys
import {module}
assert 'torch' not in sys.modules
if hasattr({module}, 'main'):
    sys.argv = ['tessera', '--version']
    try:
        {module}.main()
    except SystemExit:
        pass
import os
assert os.environ['OMP_WAIT_POLICY'] == 'ACTIVE'
"""
        assert not run(program).stderr


def test_a_pixel_limit_that_the_host_program_set_in_pillow_is_named() -> None:
    program = """
import io
from PIL import Image
from app.decoding import decode
from app.errors import TooManyPixels
file = io.BytesIO()
Image.new("L", (300, 200)).save(file, "TIFF", compression="jpeg")
Image.MAX_IMAGE_PIXELS = 20_000
try:
    decode(file.getvalue(), max_pixels=10**6)
except TooManyPixels as error:
    assert "MAX_IMAGE_PIXELS" in str(error)
else:
    raise SystemExit("not refused")
"""
    run(program)


@pytest.mark.parametrize(("allowed", "own", "expected"), [(3, "", "3"), (1, "", "1"), (3, "2", "2"), (8, "", "None")])
def test_threads_follow_the_quota_unless_their_number_is_set(allowed: int, own: str, expected: str) -> None:
    program = "import os, app.environment as environment, psutil; "
    program += "environment.processors_of_affinity = psutil.cpu_count = lambda **_: 8; "
    program += f"environment.available_processors = lambda: {allowed}; environment.prepare_process(); "
    program += "import torch; print(os.environ.get('OMP_NUM_THREADS') or None, torch.get_num_threads())"
    variable, threads = run(program, OMP_NUM_THREADS=own, MKL_NUM_THREADS="").stdout.split()
    assert variable == expected
    assert expected == "None" or int(threads) <= int(expected)
