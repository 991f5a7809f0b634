"""What the values of settings must be. Each function returns the value, and raises ValueError for a wrong one."""

import re
from ipaddress import ip_network
from pathlib import Path

from app.errors import InvalidParameter, InvalidPictures
from app.remote import is_url
from app.service.keeping import parse_rules
from app.teaching.proof import parse_serve_rules

_ORIGIN = r"https?://[^\s/,]+"
_ORIGINS = re.compile(rf"(\*|{_ORIGIN}(\s*,\s*{_ORIGIN})*)?")
_ENDPOINT = re.compile(r"https?://[^\s/]+(/\S*)?")
_HOST = r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*"
_HOSTS = re.compile(rf"(\*|{_HOST}(\s*,\s*{_HOST})*)?")
_PREFIX_PATH = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)+")

OWN_PATHS = frozenset({"docs", "livez", "metrics", "openapi.json", "page", "readyz", "v1", "v2"})
"""First segments of the paths of the server's own routes. The first segment of a prefix must be another one."""


def folder_or_url(place: object) -> object:
    """A text that is no URL as a path; anything else as it is."""
    return Path(place) if isinstance(place, str) and not is_url(place) else place


def origins(value: str) -> str:
    """Origins of pages with commas between them, `*`, or nothing."""
    if not _ORIGINS.fullmatch(value):
        raise ValueError("give origins such as https://line3.example, with commas between them, or * for all")
    return value


def hosts(value: str) -> str:
    """Names of hosts with commas between them, `*`, or nothing."""
    if not _HOSTS.fullmatch(value):
        raise ValueError("give names such as tessera.plant.example, with commas between them, or * for any")
    return value


def addresses(value: str) -> str:
    """IP addresses or networks with commas between them, `*`, or nothing."""
    for address in () if value in ("", "*") else value.split(","):
        try:
            ip_network(address.strip())
        except ValueError as error:
            raise ValueError(f"give IP addresses or networks such as 10.0.0.0/8, with commas; {error}") from error
    return value


def record_file(path: Path | None) -> Path | None:
    """A file whose suffix is that of a form of records."""
    if path is not None and path.suffix.lower() not in (".csv", ".jsonl", ".ndjson"):
        raise ValueError("name a file that ends in .csv, .jsonl or .ndjson")
    return path


def keep_rules(value: str) -> str:
    """Rules of which pictures are kept."""
    try:
        parse_rules(value)
    except InvalidPictures as error:
        raise ValueError(str(error)) from error
    return value


def serve_rules(value: str) -> str:
    """Rules by which a taught version serves."""
    try:
        parse_serve_rules(value)
    except InvalidParameter as error:
        raise ValueError(str(error)) from error
    return value


def endpoint(value: str) -> str:
    """A URL, or nothing."""
    if value and not _ENDPOINT.fullmatch(value):
        raise ValueError("give a URL such as http://collector:4318/v1/traces")
    return value


def path_prefix(path: str) -> str:
    """The prefix of all paths of the server, or nothing."""
    if path and not _PREFIX_PATH.fullmatch(path):
        raise ValueError("give a path that begins with a slash and ends without one, such as /tessera")
    first = path.split("/")[1] if path else ""
    if first in OWN_PATHS:
        raise ValueError(f"the server has paths of its own under /{first}; take another prefix, such as /tessera")
    return path
