"""What a Serve configuration may say, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

pytest.importorskip("ray", reason="the extra `ray` is not installed")

from ray.serve.schema import ServeDeploySchema

from app.deploy.arguments import Arguments, EngineArguments
from app.deploy.builder import application
from app.errors import CannotServe

EXAMPLE = Path(__file__).parent.parent.parent / "examples/ray/serve.yaml"


def config(**arguments: object) -> Any:
    """The configuration of the deployment that these arguments make."""
    return application(Arguments.model_validate(arguments))._bound_deployment._deployment_config


def test_the_example_is_a_configuration_that_serve_takes() -> None:
    schema = ServeDeploySchema.model_validate(yaml.safe_load(EXAMPLE.read_text()))
    assert schema.http_options.host == "127.0.0.1"
    (only,) = schema.applications
    assert (only.import_path, only.route_prefix) == ("app.deploy.builder:application", "/")
    assert application(Arguments.model_validate(only.args)) is not None


def test_the_number_of_replicas_is_fixed_or_a_range() -> None:
    assert config(replicas=3).num_replicas == 3
    scaling = config(replicas=2, most_replicas=8, tiles_per_replica=10, fewer_after_s=60).autoscaling_config
    assert (scaling.min_replicas, scaling.max_replicas, scaling.downscale_delay_s) == (2, 8, 60)
    assert scaling.policy.policy_kwargs == {"tiles_per_replica": 10}


def test_serve_waits_longer_than_the_grace_period() -> None:
    assert config(settings={"shutdown_grace_s": 30}).graceful_shutdown_timeout_s > 30


def test_requests_are_not_held_back_before_the_limit_of_the_application() -> None:
    assert config(settings={"max_connections": 200}).max_ongoing_requests == 200


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"settings": {"max_pixels": 0}}, "max_pixels: Input should be greater than or equal to 1; it is 0"),
        ({"settings": {"prot": 1}}, "prot: Extra inputs are not permitted"),
        ({"replicas": 2, "settings": {"jobs_dir": "/jobs"}}, "jobs_dir is /jobs.* 2 replicas.* set `replicas` to 1"),
        ({"most_replicas": 9, "settings": {"jobs_dir": "/jobs"}}, "9 replicas"),
        ({"replicas": 2, "settings": {"trainings_dir": "/t"}}, "trainings_dir is /t.* 2 replicas"),
        ({"replicas": 2, "settings": {"pictures_dir": "/kept"}}, "pictures_dir is /kept.* 2 replicas.* jobs_database"),
    ],
)
def test_settings_that_cannot_work_are_refused_before_a_replica_starts(arguments: Any, words: str) -> None:
    with pytest.raises(CannotServe, match=words):
        config(**arguments)


def test_jobs_are_taken_by_one_replica_or_need_a_database() -> None:
    assert config(replicas=1, settings={"jobs_dir": "/jobs"}).num_replicas == 1
    shared = {"jobs_dir": "/jobs", "jobs_database": "postgresql://tessera@db/jobs"}
    assert config(replicas=2, settings=shared).num_replicas == 2


def test_engines_are_a_deployment_of_their_own() -> None:
    given = {"replicas": 2, "engines": {"replicas": 3, "processors": 2, "own": True}}
    replica = application(Arguments.model_validate(given))._bound_deployment
    bound: tuple[Any, ...] = replica.init_args
    _, _, arguments, engines = bound
    assert arguments == EngineArguments(replicas=3, processors=2, own=True)
    assert engines._bound_deployment.name == "engines"
    assert engines._bound_deployment._deployment_config.num_replicas == 3
    assert len(application(Arguments(replicas=2))._bound_deployment.init_args) == 2


@pytest.mark.parametrize(
    ("arguments", "words"),
    [({"replicas": 3, "most_replicas": 2}, "give at least that"), ({"copies": 2}, "copies"), ({"gpus": -1}, "gpus")],
)
def test_arguments_that_cannot_work_are_refused(arguments: Any, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        Arguments.model_validate(arguments)
