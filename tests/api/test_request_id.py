import pytest
from starlette.testclient import TestClient

PATHS = ["/livez", "/v1/models", "/v1/models/nothing", "/nowhere", "/docs", "/docs/assets/swagger-ui.css"]


@pytest.mark.parametrize("path", PATHS)
def test_every_response_has_an_id(client: TestClient, path: str) -> None:
    first, second = (client.get(path).headers["X-Request-ID"] for _ in range(2))
    assert len(first) == 32 and first != second


@pytest.mark.parametrize("given", ["abc", "9f3c-11.ee:4", "a" * 128])
def test_a_given_id_is_kept(client: TestClient, given: str) -> None:
    assert client.get("/livez", headers={"X-Request-ID": given}).headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "two words", "a" * 129, "a,b", "<script>", "tab\there"])
def test_an_invalid_id_is_replaced(client: TestClient, given: str) -> None:
    answer = client.get("/livez", headers={"X-Request-ID": given})
    assert len(answer.headers["X-Request-ID"]) == 32
