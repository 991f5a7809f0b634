"""The server's settings, read from the environment variables `TESSERA_<SETTING>` or from command line flags."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.detectors import SearchMode
from app.runtime import PrecisionChoice
from app.scheduling import STUCK_AFTER_S
from app.service import ServeNew
from app.setting_values import (
    addresses,
    endpoint,
    folder_or_url,
    hosts,
    keep_rules,
    origins,
    path_prefix,
    record_file,
    serve_rules,
)

PREFIX = "TESSERA_"


class Settings(BaseSettings):
    """The settings of a server. Empty environment variables count as not set."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    models_dir: str | Path = Field(
        default=Path("models"),
        description="The model repository: a directory that contains <name>/<version>/, or the URL of such a folder in "
        "a bucket, as s3://BUCKET/PREFIX, which needs the extra `s3`.",
    )
    models_cache: Path | None = Field(
        default=None,
        description="The directory into which models are fetched from a bucket; by default tessera/models in the "
        "user's cache ($XDG_CACHE_HOME or ~/.cache).",
    )
    models_cache_bytes: int = Field(
        default=64 * 2**30,
        ge=1,
        description="The largest sum of the versions in models_cache, in bytes; beyond it the versions that were not "
        "used for longest are removed.",
    )
    examples_dir: Path = Field(
        default=Path("examples"), description="The directory of the example pictures on the page; it may be missing."
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on; 0.0.0.0: all IPv4 addresses.")
    port: int = Field(default=8000, ge=0, le=65535, description="The port to listen on; 0: any free port.")
    root_path: str = Field(
        default="", description="The path prefix under which a proxy serves this server, such as /tessera."
    )
    cors_origins: str = Field(
        default="",
        description="Origins whose pages may call the API, with commas, such as https://line3.example; *: all origins.",
    )
    allowed_hosts: str = Field(
        default="",
        description="Names by which clients reach the server, with commas; *: any. By default any, but on a loopback "
        "address only those of cors_origins. Addresses and names without a dot are always allowed.",
    )
    forwarded_allow_ips: str = Field(
        default="",
        description="Addresses or networks of proxies whose X-Forwarded-For and X-Forwarded-Proto count; *: all; by "
        "default none.",
    )
    keys_file: Path | None = Field(
        default=None, description="The file of API keys, which `tessera keys` writes; it is read again when it changes."
    )
    api_keys: str = Field(
        default="", description="The content of a file of API keys, for environments without files; it holds no secret."
    )
    device: str = Field(
        default="auto", description="The devices that compute: auto, cpu, cuda, cuda:N, or several with commas."
    )
    default_model: str | None = Field(
        default=None, description="The model that the name `default` means, if the repository has several models."
    )
    serve_new: ServeNew = Field(
        default="newest",
        description="newest: new versions serve at once, unless a version is pinned; pinned: they are candidates until "
        "somebody promotes them, and a model without a pin gets the version that is found first.",
    )
    max_loaded_versions: int | None = Field(
        default=None,
        ge=1,
        description="The largest number of versions in memory, for repositories that do not fit: others are loaded "
        "when requests need them, instead of those that were not used for longest. By default all are loaded.",
    )
    reload_interval_s: float = Field(
        default=5.0,
        ge=0,
        le=86400,
        allow_inf_nan=False,
        description="The interval between scans of the repository, in seconds; 0: only at the start and on request.",
    )
    max_image_bytes: int = Field(
        default=272 * 2**20, ge=1, description="The largest upload, in bytes; the default fits 8192 x 8192 x 4 bytes."
    )
    max_waiting_bytes: int = Field(
        default=0,
        ge=0,
        description="The largest sum of uploads and answers of unanswered requests, in bytes; beyond it requests get "
        "429; 0: a quarter of the memory that is free at the start, at most 1 GiB.",
    )
    max_work_bytes: int = Field(
        default=0,
        ge=0,
        description="The memory of all pictures in work, in bytes; a request that needs over half of it gets 413; 0: "
        "half of the memory that is free at the start.",
    )
    max_pixels: int = Field(default=8192 * 8192, ge=1, description="The largest picture, in pixels.")
    truncated_pictures: Literal["refuse", "accept"] = Field(
        default="refuse",
        description="Whether JPEGs whose data end early are refused, or decoded with grey for what is missing.",
    )
    batch_pictures: int = Field(default=100, ge=1, description="The largest number of pictures in one request.")
    queue_tiles: int = Field(
        default=4096, ge=1, description="The largest number of tiles that wait or run; beyond it requests get 429."
    )
    batch_tiles: int = Field(
        default=0, ge=0, description="The largest number of tiles in a batch; 0: measured when a model is loaded."
    )
    cpu_lanes: int = Field(
        default=0,
        ge=0,
        le=64,
        description="The largest number of pictures that a CPU computes in parallel; 0: one per core, at most 4.",
    )
    precision: PrecisionChoice = Field(
        default="auto",
        description="auto, float32, bfloat16 or float16; auto: the fastest that reproduces the model's golden sample.",
    )
    search: SearchMode = Field(
        default=SearchMode.auto,
        description="How PatchCore searches its memory bank: exact, approximate, or auto (exact).",
    )
    decode_processes: int = Field(
        default=0,
        ge=0,
        le=256,
        description="The number of processes that decode, and of threads that render; 0: 2, or all spare processors if "
        "only GPUs compute.",
    )
    request_timeout_s: float = Field(
        default=600.0,
        ge=0,
        allow_inf_nan=False,
        description="The time limit of requests without `X-Request-Timeout`, in seconds; then 504; 0: no limit.",
    )
    max_streams: int = Field(
        default=8, ge=1, description="The largest number of streams of rows at a time; beyond it requests get 429."
    )
    stream_idle_s: float = Field(
        default=300.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a stream of rows waits for its next row, and is kept without a connection, in seconds.",
    )
    max_connections: int = Field(
        default=1000,
        ge=8,
        description="The largest number of connections; fewer if the process may not open so many files.",
    )
    head_timeout_s: float = Field(
        default=10.0,
        gt=0,
        allow_inf_nan=False,
        description="The time in which the head of a request must come, in seconds; then 408.",
    )
    idle_timeout_s: int = Field(
        default=5, ge=1, description="How long a connection without a request stays open for the next one, in seconds."
    )
    least_bytes_per_s: float = Field(
        default=1000.0,
        gt=0,
        allow_inf_nan=False,
        description="The least rate at which clients must send bodies and read responses, in bytes per second.",
    )
    stall_timeout_s: float = Field(
        default=20.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a client may be slower than least_bytes_per_s, in seconds; then 408, or the end.",
    )
    stuck_after_s: float = Field(
        default=STUCK_AFTER_S,
        ge=0.1,
        allow_inf_nan=False,
        description="How long a device may compute a batch of up to a megapixel, in seconds; then the server ends.",
    )
    on_verdict: str = Field(
        default="",
        description="Where verdicts go, with commas: https://HOST/PATH#secret_file=FILE (a webhook), "
        "mqtts://USER@BROKER/TOPIC#password_file=FILE, or folder:PATH.",
    )
    spool_dir: Path = Field(
        default=Path("spool"),
        description="The directory of the queues of on_verdict, on a local disk; each server needs its own.",
    )
    spool_bytes: int = Field(
        default=256 * 2**20,
        ge=2**20,
        description="The largest queue of a sink, in bytes; beyond it the oldest verdicts are lost.",
    )
    jobs_dir: Path | None = Field(
        default=None,
        description="The directory of jobs and their results, on a local disk; each server needs its own, but servers "
        "with one jobs_database share one; by default the server takes no jobs.",
    )
    jobs_database: str = Field(
        default="",
        description="The PostgreSQL database of jobs that several servers share, such as "
        "postgresql://USER@HOST/NAME#password_file=FILE; needs the extra `postgres`; by default SQLite in jobs_dir.",
    )
    jobs_lease_s: float = Field(
        default=15.0,
        ge=2,
        le=3600,
        allow_inf_nan=False,
        description="How long a server that shares a jobs_database may be silent before another one takes its jobs, in "
        "seconds.",
    )
    jobs_results: str | Path | None = Field(
        default=None,
        description="The directory of the results of jobs, or its URL in a bucket, as s3://BUCKET/PREFIX, which needs "
        "the extra `s3`; by default jobs_dir.",
    )
    jobs_folder: Path | None = Field(
        default=None, description="A folder of pictures that jobs may name by their paths; by default none."
    )
    jobs_running: int = Field(default=1, ge=1, le=16, description="The largest number of jobs that run at once.")
    jobs_per_key: int = Field(
        default=100, ge=1, description="The largest number of jobs of an API key, finished ones included; then 429."
    )
    jobs_bytes_per_key: int = Field(
        default=64 * 2**30,
        ge=1,
        description="The space on the disk that the jobs of an API key may take, in bytes; 16 for each pixel until a "
        "job is done.",
    )
    jobs_free_bytes: int = Field(
        default=2**30, ge=0, description="The space that jobs leave free on the disk, in bytes; beyond it 507."
    )
    jobs_expiry_s: float = Field(
        default=7 * 86400.0,
        ge=1,
        allow_inf_nan=False,
        description="How long results of jobs, and uploads that do not go on, are kept, in seconds.",
    )
    trainings_dir: Path | None = Field(
        default=None,
        description="The directory of first models that clients have trained from pictures (POST /v1/models), on a "
        "local disk; each server needs its own; by default the server trains none.",
    )
    training_timeout_s: float = Field(
        default=3600.0,
        gt=0,
        allow_inf_nan=False,
        description="How long a training, or a teaching with its proof, may take, in seconds.",
    )
    training_bytes: int = Field(
        default=4 * 2**30, ge=2**29, description="The memory that the process of a training may take, in bytes."
    )
    teach_most_lost: int = Field(
        default=0,
        ge=0,
        description="The number of confirmed defects that a taught version may lose; with more, the proof refuses it.",
    )
    teach_serve: str = Field(
        default="",
        description="The rules by which a taught version serves without a person's word: alarms:RATE,reviewed:NUMBER, "
        "its largest bound of false alarms, and the fewest reviewed pictures; by default a person decides.",
    )
    pictures_dir: Path | None = Field(
        default=None,
        description="The directory of kept pictures and their reviews, on a local disk; servers with one jobs_database "
        "share one, and it holds their table; by default no picture is kept.",
    )
    pictures_keep: str = Field(
        default="near:0.1,anomalous,every:100",
        description="Which pictures are kept, with commas: all; anomalous; near:BAND, scores within BAND of the "
        "threshold; every:N, one in N of each model.",
    )
    pictures_bytes: int = Field(
        default=16 * 2**30,
        ge=2**20,
        description="The largest sum of kept pictures, in bytes; beyond it the oldest without a review are removed.",
    )
    pictures_age_s: float = Field(
        default=30 * 86400.0,
        ge=1,
        allow_inf_nan=False,
        description="How long pictures without a review are kept, in seconds.",
    )
    pictures_reviewed_age_s: float = Field(
        default=0.0,
        ge=0,
        allow_inf_nan=False,
        description="How long reviewed pictures are kept after their review, in seconds; 0: without a limit.",
    )
    pictures_free_bytes: int = Field(
        default=2**30, ge=0, description="The space that kept pictures leave free on the disk, in bytes."
    )
    stage_times: bool = Field(
        default=False, description="Whether /metrics reports the time of each stage of the models on their devices."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="The lowest level of messages in the log: debug, info, warning or error."
    )
    log_format: Literal["text", "json"] = Field(
        default="text", description="The form of the log: lines for people, or one JSON object a line."
    )
    verdict_record: Path | None = Field(
        default=None,
        description="A file to which a line is appended for each picture: .csv, or JSON lines (.jsonl, .ndjson).",
    )
    verdict_record_bytes: int = Field(
        default=64 * 2**20,
        ge=2**16,
        description="The size after which verdict_record begins a new file, in bytes; each day (UTC) begins one, too.",
    )
    verdict_record_files: int = Field(
        default=400, ge=2, description="The number of files of verdict_record that are kept; the oldest are removed."
    )
    traces_endpoint: str = Field(
        default="",
        description="The URL to which OpenTelemetry traces are sent (OTLP over HTTP), such as "
        "http://collector:4318/v1/traces; needs the extra `otel`.",
    )
    shutdown_grace_s: float = Field(
        default=6.0, ge=0, description="How long requests in flight may still run after SIGTERM or SIGINT, in seconds."
    )

    _places = field_validator("models_dir", "jobs_results", mode="before")(folder_or_url)
    _origins = field_validator("cors_origins")(origins)
    _hosts = field_validator("allowed_hosts")(hosts)
    _addresses = field_validator("forwarded_allow_ips")(addresses)
    _record = field_validator("verdict_record")(record_file)
    _keep = field_validator("pictures_keep")(keep_rules)
    _serve = field_validator("teach_serve")(serve_rules)
    _endpoint = field_validator("traces_endpoint")(endpoint)
    _prefix = field_validator("root_path")(path_prefix)

    @field_validator("max_waiting_bytes")
    @classmethod
    def _one_upload_fits(cls, size: int, info: ValidationInfo) -> int:
        largest = info.data.get("max_image_bytes", 0)
        if 0 < size < largest:
            raise ValueError(f"give 0, or at least max_image_bytes, the limit of one upload, which is {largest:,}")
        return size


def unknown_variables(names: Iterable[str] = os.environ) -> list[str]:
    """The names with the prefix of settings that are no settings, sorted; probably mistyped."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(name for name in names if name.upper().startswith(PREFIX) and name.upper() not in known)


def _plain(value: object) -> str:
    """A value as a person writes it: texts and numbers as they are given, paths as texts."""
    return repr(str(value) if isinstance(value, Path) else value)


def said_of_settings(error: ValidationError) -> list[str]:
    """A line for each setting that is wrong."""
    lines = []
    for each in error.errors():
        message = each["msg"].removeprefix("Value error, ")
        lines.append(f"{each['loc'][0]}: {message}; it is {_plain(each['input'])}")
    return lines
