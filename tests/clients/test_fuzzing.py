"""Requests of all kinds, made from the contract, find nothing that it does not say."""

import pytest

from tests.clients.conftest import Workplace

pytestmark = pytest.mark.clients


def test_500_requests_of_each_operation_find_nothing(workplace: Workplace) -> None:
    # The one check that is left out holds answers of 4xx to be wrong where a body follows its schema; bytes that follow
    # `format: binary` are seldom a picture.
    workplace.run(
        "schemathesis run $TESSERA_URL/openapi.json --max-examples 500 --seed 1 "
        "--exclude-checks positive_data_acceptance"
    )
