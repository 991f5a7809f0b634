"""Imports point downward through the layers of docs/design.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS: list[set[str]] = [  # from top to bottom; members of one set never import each other
    {"__main__"},
    {"cli", "engine"},
    {"main", "deploy"},
    {"starting"},
    {"application"},
    {"parts"},
    {"server"},
    {"observation"},
    {"connections", "metrics", "logs", "records", "traces", "terminal", "heap", "ending", "draining"},
    {"collectors"},
    {"metric_table"},
    {"settings", "api", "web"},
    {"setting_values"},
    {"trainings"},
    {"jobs"},
    {"service"},
    {"teaching"},
    {"store", "model_search"},
    {"scheduling", "training", "importing", "decoders", "watching", "sizing"},
    {"admission", "evaluation"},
    {"artifacts", "keys"},
    {"pipeline"},
    {"runtime"},
    {"detectors", "data"},
    {"drift", "zones"},
    {"tiling", "backbones", "scoring", "rendering", "decoding", "synthesis", "events"},
    {"tensor_files", "remote"},
    {
        "environment",
        "errors",
        "files",
        "interruption",
        "progress",
        "request_ids",
        "reviews",
        "row_memory",
        "shown",
        "similar",
        "torch_private",
        "trials",
    },
    {"cgroup", "version"},
]
DEPTH = {name: depth for depth, names in enumerate(LAYERS) for name in names}
HTTP = {"fastapi", "starlette", "uvicorn"}
BORDERS = {
    "pydantic": {"api", "web", "artifacts", "settings", "cli", "keys", "deploy"},
    "pydantic_settings": {"settings"},
}
SOURCES = sorted((ROOT / "app").rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, at its top or inside functions."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            if node.module == "app":
                yield from (f"app.{alias.name}" for alias in node.names)
            elif node.module:
                yield node.module


def layer(path: Path) -> str:
    return path.relative_to(ROOT / "app").parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downward(path: Path) -> None:
    own = layer(path)
    if own == "__init__":
        assert not any(name.startswith("app") for name in imports(path))
        return
    for name in imports(path):
        parts = name.split(".")
        if parts[0] == "app" and parts[1] != own:
            assert DEPTH[own] < DEPTH[parts[1]], f"{own} must not import {name}"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_only_border_packages_import_frameworks(path: Path) -> None:
    own = layer(path)
    for name in imports(path):
        package = name.split(".")[0]
        if package in HTTP:
            assert own in {"api", "web", "connections", "server", "draining", "application", "starting", "deploy"}, (
                f"{own} imports {name}"
            )
        assert own in BORDERS.get(package, {own}), f"{own} imports {name}"
        if package == "prometheus_client":
            assert own in {"metrics", "collectors", "api", "deploy"}


def test_every_module_has_a_layer() -> None:
    assert {layer(path) for path in SOURCES} - {"__init__"} <= DEPTH.keys()


def test_upward_imports_are_found(tmp_path: Path) -> None:
    source = tmp_path / "module.py"
    source.write_text("from app import main\ndef f():\n    import app.api.problems\n    from app.cli import main\n")
    assert list(imports(source)) == ["app.main", "app.api.problems", "app.cli"]


def test_the_documentation_shows_these_layers() -> None:
    text = (ROOT / "docs/design.md").read_text()
    picture = text[text.index("## Layers") :].split("```")[1].strip("\n")
    shown = [{name.strip() for name in re.split(r"  +", row)[0].split("|")} for row in picture.splitlines()]
    there = {layer(path) for path in SOURCES}
    assert shown == [names & there for names in LAYERS]
