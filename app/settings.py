"""The server's settings: the environment's `TESSERA_<SETTING>`, or the command line's flags."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from app.detectors import SearchMode
from app.runtime import PrecisionChoice

PREFIX = "TESSERA_"
_ORIGIN = r"https?://[^\s/,]+"
_ORIGINS = re.compile(rf"(\*|{_ORIGIN}(\s*,\s*{_ORIGIN})*)?")

_PREFIX_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")
OWN_PATHS = frozenset({"docs", "livez", "metrics", "openapi.json", "page", "readyz", "v1", "v2"})
"""What the paths of the server's routes begin with: a prefix like these could not be told apart from them."""


class Settings(BaseSettings):
    """The settings of a server. Empty variables of the environment count as not set."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    models_dir: Path = Field(default=Path("models"), description="The model repository: <name>/<version>/ in it.")
    examples_dir: Path = Field(
        default=Path("examples"), description="Pictures that the page offers to try a model with, if there are any."
    )
    host: str = Field(default="127.0.0.1", description="The address to listen on; 0.0.0.0 for all of IPv4.")
    port: int = Field(default=8000, ge=0, le=65535, description="The port to listen on; 0 for any that is free.")
    root_path: str = Field(default="", description="The prefix under which a proxy serves this server: /tessera.")
    cors_origins: str = Field(
        default="",
        description="Whose pages may call from browsers: origins like https://line3.example, with commas; * for all.",
    )
    device: str = Field(default="auto", description="What computes: auto, cpu, cuda, cuda:N, or several with commas.")
    default_model: str | None = Field(default=None, description="The model that `default` means, if there are several.")
    reload_interval_s: float = Field(
        default=5.0,
        ge=0,
        le=86400,
        allow_inf_nan=False,
        description="How often new, changed and removed models are looked for, in seconds; 0: only when asked to.",
    )
    max_image_bytes: int = Field(
        default=272 * 2**20, ge=1, description="The largest upload; 8192 x 8192 pixels of 4 bytes fit into the default."
    )
    max_waiting_bytes: int = Field(
        default=2**30,
        ge=1,
        validate_default=True,
        description="The largest sum of the uploads that are not answered yet, in bytes; beyond, requests get 429.",
    )
    max_pixels: int = Field(default=8192 * 8192, ge=1, description="The largest picture, in pixels.")
    batch_pictures: int = Field(default=100, ge=1, description="How many pictures a request may have.")
    queue_tiles: int = Field(
        default=4096, ge=1, description="How many tiles may wait or run; beyond, requests get 429."
    )
    batch_tiles: int = Field(
        default=0, ge=0, description="How many tiles the device runs at once; 0: measured when a model is loaded."
    )
    cpu_lanes: int = Field(
        default=0,
        ge=0,
        le=64,
        description="How many pictures a CPU works on side by side, sharing its cores; 0: one a core, 4 at most.",
    )
    precision: PrecisionChoice = Field(
        default="auto",
        description="auto, float32, bfloat16, float16; auto: what is fast here and reproduces a model's golden sample.",
    )
    search: SearchMode = Field(
        default="auto", description="How PatchCore searches its memory bank: auto (exact), exact, approximate."
    )
    decode_threads: int = Field(
        default=0,
        ge=0,
        description="How many threads decode pictures and render answers; 0: 2, or all spare processors beside GPUs.",
    )
    request_timeout_s: float = Field(
        default=600.0,
        ge=0,
        allow_inf_nan=False,
        description="When requests without `X-Request-Timeout` are given up with 504, in seconds; 0: never.",
    )
    stage_times: bool = Field(
        default=False, description="Whether /metrics says how long each stage of the devices' work takes."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="What the log tells.")
    shutdown_grace_s: float = Field(
        default=6.0, ge=0, description="How long requests may still run once the server stops."
    )

    @field_validator("cors_origins")
    @classmethod
    def _are_origins(cls, origins: str) -> str:
        if not _ORIGINS.fullmatch(origins):
            raise ValueError("give origins such as https://line3.example, with commas between them, or * for all")
        return origins

    @field_validator("root_path")
    @classmethod
    def _is_prefix(cls, path: str) -> str:
        if path and not _PREFIX_PATH.fullmatch(path):
            raise ValueError("give a path that begins with a slash and ends without one, such as /tessera")
        first = path.split("/")[1] if path else ""
        if first in OWN_PATHS:
            raise ValueError(f"the server has paths of its own under /{first}; take another prefix, such as /tessera")
        return path

    @field_validator("max_waiting_bytes")
    @classmethod
    def _one_upload_fits(cls, size: int, info: ValidationInfo) -> int:
        largest = info.data.get("max_image_bytes", 0)
        if size < largest:
            raise ValueError(f"give at least what one upload may have, max_image_bytes, which is {largest:,}")
        return size


def unknown_variables(names: Iterable[str] = os.environ) -> list[str]:
    """Names that look like settings and are none: mistyped, perhaps."""
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    return sorted(name for name in names if name.upper().startswith(PREFIX) and name.upper() not in known)
