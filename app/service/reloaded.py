"""What a look at the repository changed."""

from dataclasses import dataclass

from app.errors import TesseraError
from app.service.version_table import ServedModel, VersionTable


@dataclass(frozen=True, slots=True)
class ReloadedModel:
    """A model before and after a look: numbers of versions, and the errors of those whose files are refused now.

    `ready` are those that are served now, `added` and `removed` those that are so, or no longer, since the look, and
    `replaced` those that have another content.
    """

    name: str
    newest: int | None
    ready: tuple[int, ...]
    added: tuple[int, ...]
    replaced: tuple[int, ...]
    removed: tuple[int, ...]
    failed: tuple[tuple[int, TesseraError], ...]


def compare(before: VersionTable, after: VersionTable, only: str | None = None) -> list[ReloadedModel]:
    """All models that are on one of the shelves, or the model `only` if it is, by name."""
    earlier, later = ({model.name: model for model in table.models()} for table in (before, after))
    names = sorted(earlier.keys() | later.keys())
    return [_reloaded(name, earlier.get(name), later.get(name)) for name in names if only in (None, name)]


def _reloaded(name: str, before: ServedModel | None, after: ServedModel | None) -> ReloadedModel:
    old, new = _digests(before), _digests(after)
    statuses = after.versions if after else ()
    return ReloadedModel(
        name,
        newest=max(new, default=None),
        ready=tuple(new),
        added=tuple(version for version in new if version not in old),
        replaced=tuple(version for version in new if old.get(version, new[version]) != new[version]),
        removed=tuple(version for version in old if version not in new),
        failed=tuple((status.entry.version, status.error) for status in statuses if status.error),
    )


def _digests(model: ServedModel | None) -> dict[int, str]:
    """Of the versions that are served, the oldest first."""
    versions = model.versions if model else ()
    return {status.entry.version: status.artifact.digest for status in versions if status.artifact}
