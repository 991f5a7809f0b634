"""Requests generated from the contract get no answer that contradicts the contract."""

import pytest

from tests.clients.conftest import ROOT, Workplace

pytestmark = pytest.mark.clients
CONFIG, CHECKS = (ROOT / "tests/clients" / name for name in ("schemathesis.toml", "schemathesis_checks.py"))


def test_500_requests_of_each_operation_pass_all_checks(workplace: Workplace) -> None:
    workplace.run(
        f"SCHEMATHESIS_HOOKS={CHECKS} schemathesis --config-file {CONFIG} run $TESSERA_URL/openapi.json "
        "--max-examples 500 --seed 1",
        timeout_s=900,
    )
