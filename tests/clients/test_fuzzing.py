"""Requests generated from the contract get no answer that contradicts the contract.

TESSERA_FUZZ_EXAMPLES is the number of requests of each operation, by default 500.
"""

import os

import pytest

from tests.clients.conftest import ROOT, Workplace

pytestmark = pytest.mark.clients
EXAMPLES = int(os.environ.get("TESSERA_FUZZ_EXAMPLES", "500"))
CONFIG, CHECKS = (ROOT / "tests/clients" / name for name in ("schemathesis.toml", "schemathesis_checks.py"))


def test_generated_requests_of_each_operation_pass_all_checks(workplace: Workplace) -> None:
    workplace.run(
        f"SCHEMATHESIS_HOOKS={CHECKS} schemathesis --config-file {CONFIG} run $TESSERA_URL/openapi.json "
        f"--header 'Authorization: Bearer '$TESSERA_KEY --max-examples {EXAMPLES} --seed 1",
        timeout_s=900,
    )
