import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

from app.detectors import SearchMode
from app.detectors.nearest import distances_to, nearest
from app.detectors.search import BankSearch, grouped_search
from tests.interpreting import SMALL, InterpretedSearch
from tests.neighbours import FAMILIES, Family, assert_nearest

ROOT = Path(__file__).parents[2]
needs_triton = pytest.mark.skipif(find_spec("triton") is None, reason="Triton is not installed")


@pytest.fixture(scope="module")
def interpreter() -> Iterator[InterpretedSearch]:
    """Shared by all tests, because starting the interpreter takes longer than a search."""
    with InterpretedSearch() as search:
        yield search


@needs_triton
@pytest.mark.parametrize(("of_bank", "tolerance"), [*((family, 0.0) for family in FAMILIES), (FAMILIES[0], 0.1)])
def test_no_row_is_nearer_than_the_one_found(of_bank: Family, tolerance: float, interpreter: InterpretedSearch) -> None:
    generator = torch.Generator().manual_seed(0)
    bank = of_bank(160, 70, generator)
    beside = bank[:4] * (1 + 1e-3)
    x = torch.cat([beside, *(family(1, 70, generator) for family in FAMILIES)])
    assert_nearest(interpreter.nearest(x, bank, tolerance), x, bank, tolerance)


@needs_triton
@pytest.mark.parametrize(
    ("queries", "rows", "channels"),
    [(1, 1, 1), (1, 17, 65), (1, 274, 448), (16, 15, 448), (16, 274, 1), (19, 1, 65), (19, 17, 1), (19, 274, 65)],
)
def test_sizes_need_not_be_multiples_of_blocks(
    queries: int, rows: int, channels: int, interpreter: InterpretedSearch
) -> None:
    bank, x = torch.randn(rows, channels), torch.randn(queries, channels)
    distances, index = interpreter.nearest(x, bank)
    expected = torch.cdist(x.double(), bank.double())
    torch.testing.assert_close(distances.double(), expected.amin(1), rtol=1e-6, atol=0)
    torch.testing.assert_close(index, expected.argmin(1))


@needs_triton
@pytest.mark.parametrize("blocks", [{}, SMALL, SMALL | {"PART": 100}])
def test_the_sizes_of_blocks_do_not_change_the_result(blocks: dict[str, int], interpreter: InterpretedSearch) -> None:
    bank, x = torch.randn(1200, 40), torch.randn(20, 40)
    found = interpreter.nearest(x, bank, blocks=blocks)
    expected = nearest(x, bank)
    assert torch.equal(found[0], expected[0]) and torch.equal(found[1], expected[1])


@needs_triton
def test_rows_of_the_bank_are_found_at_distance_0(interpreter: InterpretedSearch) -> None:
    bank = torch.randn(300, 96)
    distances, index = interpreter.nearest(bank[::7].contiguous(), bank)
    assert distances.count_nonzero() == 0
    torch.testing.assert_close(index, torch.arange(0, 300, 7))


@needs_triton
def test_neighbours_that_half_precision_confuses_are_found(interpreter: InterpretedSearch) -> None:
    """Rows nearly on a circle around the query, each in a group of its own."""
    mistaken = 0
    for _ in range(20):
        angles = 2 * torch.pi * torch.rand(16)
        bank = torch.stack([angles.cos(), angles.sin()], 1) * (1 + 3e-4 * torch.rand(16, 1))
        x = torch.zeros(1, 2)
        assert_nearest(interpreter.nearest(x, bank), x, bank)
        moved = bank - bank.mean(0)
        rounded = (moved.half().double() + bank.mean(0)).norm(dim=1)
        mistaken += int(rounded.argmin() != bank.double().norm(dim=1).argmin())
    assert mistaken > 2


@needs_triton
def test_small_distances_between_large_vectors_are_exact(interpreter: InterpretedSearch) -> None:
    """Half precision cannot tell these rows apart, nor can the expanded square in float32."""
    bank = 1000 + torch.randn(400, 16) * 1e-3
    bank[200:] *= -1  # so that the mean is near 0 and does not shorten the vectors
    x = bank[190:210] + 1e-4 * torch.randn(20, 16)
    distances, index = interpreter.nearest(x, bank)
    expected = torch.cdist(x.double(), bank.double(), compute_mode="donot_use_mm_for_euclid_dist")
    torch.testing.assert_close(distances.double(), expected.amin(1), rtol=1e-5, atol=0)
    torch.testing.assert_close(index, expected.argmin(1))


@needs_triton
def test_queries_that_overflow_when_squared_get_the_distances_of_float32(interpreter: InterpretedSearch) -> None:
    bank, x = torch.randn(500, 32), torch.randn(6, 32)
    x[1], x[2, 3], x[3, 0] = 1e18, torch.nan, torch.inf
    distances, index = interpreter.nearest(x, bank)
    assert_nearest((distances[[0, 4, 5]], index[[0, 4, 5]]), x[[0, 4, 5]], bank)
    torch.testing.assert_close(distances[1], torch.tensor(1e18 * 32**0.5))
    assert distances[2].isnan()
    assert not distances[3].isfinite()


@needs_triton
@pytest.mark.parametrize("capability", [80, 90])
def test_kernels_are_compiled_with_the_bank_and_not_again_for_queries(capability: int, tmp_path: Path) -> None:
    """For two generations of GPUs. The machine needs no GPU."""
    command = [sys.executable, "-m", "tests.compiling", str(capability)]
    environment = os.environ | {"TRITON_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(torch.cuda.is_available(), reason="the kernels run on the GPU")
def test_a_bank_whose_kernels_cannot_run_is_searched_in_blocks_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert grouped_search(torch.randn(5, 4), tolerance=0.0) is None
    assert "searched in blocks" in caplog.text


@pytest.mark.gpu
@pytest.mark.parametrize("of_bank", FAMILIES)
def test_on_a_gpu_no_row_is_nearer_than_the_one_found(of_bank: Family) -> None:
    generator = torch.Generator().manual_seed(0)
    bank = of_bank(3000, 300, generator)
    x = torch.cat([bank[:30] * (1 + 1e-3), *(family(10, 300, generator) for family in FAMILIES)])
    search = grouped_search(bank.cuda(), tolerance=0.0)
    assert search is not None
    distances, index = search.nearest(x.cuda())
    assert_nearest((distances.cpu(), index.cpu()), x, bank)


@pytest.mark.gpu
@pytest.mark.parametrize(("queries", "rows", "channels"), [(1, 1024, 384), (2500, 50_000, 384), (700, 70_000, 1536)])
def test_a_gpu_finds_the_distances_that_a_cpu_finds(queries: int, rows: int, channels: int) -> None:
    bank, x = torch.randn(rows, channels), torch.randn(queries, channels)
    distances, index = BankSearch(bank.cuda(), SearchMode.exact).nearest(x.cuda())
    torch.testing.assert_close(distances.cpu(), BankSearch(bank, SearchMode.exact).nearest(x)[0], rtol=1e-5, atol=0)
    torch.testing.assert_close(distances.cpu(), distances_to(x, bank, index.cpu()), rtol=1e-5, atol=0)
