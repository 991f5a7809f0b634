"""Which replicas a request for a model is offered to."""

import pickle
from collections import Counter
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("ray", reason="the extra `ray` is not installed")

from ray.serve._private.common import StreamingHTTPRequest

from app.deploy.routing import BUSY_TILES, _model_of, chosen_for

MODELS = [f"line{number}" for number in range(60)]


def stats(**loaded: tuple[list[str], int]) -> dict[str, dict[str, object]]:
    return {name: {"loaded": models, "tiles": tiles} for name, (models, tiles) in loaded.items()}


def test_replicas_that_have_the_model_are_offered() -> None:
    found = stats(a=(["x"], 0), b=(["y"], 0), c=(["x", "y"], 0), d=(["x"], 0))
    offered = Counter(name for _ in range(60) for name in chosen_for("x", found))
    assert offered.keys() == {"a", "c", "d"}
    assert sum(offered.values()) == 120
    assert chosen_for("y", stats(a=(["x"], 0), b=(["y"], BUSY_TILES))) == {"b"}


def test_one_replica_is_chosen_for_a_model_that_none_has_and_models_are_spread() -> None:
    found = stats(a=([], 0), b=([], 0), c=([], 0))
    places = {model: chosen_for(model, found) for model in MODELS}
    assert all(len(place) == 1 for place in places.values())
    assert places == {model: chosen_for(model, found) for model in MODELS}
    counts = Counter(next(iter(place)) for place in places.values())
    assert min(counts[name] for name in "abc") >= 10


def test_few_models_move_when_a_replica_goes() -> None:
    found = stats(a=([], 0), b=([], 0), c=([], 0))
    fewer = stats(a=([], 0), b=([], 0))
    for model in MODELS:
        before = chosen_for(model, found)
        if before != {"c"}:
            assert chosen_for(model, fewer) == before


def test_one_more_replica_loads_a_model_whose_replicas_are_busy() -> None:
    found = stats(a=(["x"], BUSY_TILES + 1), b=([], 0), c=([], 0))
    offered = {frozenset(chosen_for("x", found)) for _ in range(20)}
    assert len(offered) == 1
    assert len(offered.pop() - {"a"}) == 1
    assert chosen_for("x", stats(a=(["x"], BUSY_TILES + 1))) == {"a"}  # there is no other one


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/models/line3/predict", "line3"),
        ("/tessera/v1/models/line3/heatmap", "line3"),
        ("/v2/models/line3/versions/2/infer", "line3"),
        ("/v1/models/default/predict", "default"),
        ("/v1/models", None),
        ("/v1/models/line3", None),
        ("/v1/jobs", None),
        ("/livez", None),
    ],
)
def test_the_model_is_read_from_the_path(path: str, model: str | None) -> None:
    sent = pickle.dumps(StreamingHTTPRequest(asgi_scope={"path": path}, proxy_actor_name="proxy"))
    request: Any = SimpleNamespace(args=[sent])
    assert _model_of(request) == model


def test_calls_that_are_no_requests_name_no_model() -> None:
    request: Any = SimpleNamespace(args=["reload"])
    assert _model_of(request) is None
    assert _model_of(None) is None
