"""The changes that a scan of the repository found."""

from dataclasses import dataclass

from app.errors import TesseraError
from app.service.version_table import ServedModel, VersionTable


@dataclass(frozen=True, slots=True)
class ReloadedModel:
    """The versions of a model before and after a scan.

    live: the version that is served if a request names none; None: no version is served so
    ready: the versions that are served now
    added, removed: the versions that the scan added to, or removed from, those that are served
    replaced: the versions whose content has changed
    failed: the versions whose files are refused, with their errors
    """

    name: str
    live: int | None
    ready: tuple[int, ...]
    added: tuple[int, ...]
    replaced: tuple[int, ...]
    removed: tuple[int, ...]
    failed: tuple[tuple[int, TesseraError], ...]


def compare(before: VersionTable, after: VersionTable, only: str | None = None) -> list[ReloadedModel]:
    """The changes of all models in either table, or of the model `only`, sorted by name."""
    earlier, later = ({model.name: model for model in table.models()} for table in (before, after))
    names = sorted(earlier.keys() | later.keys())
    return [_reloaded(name, earlier.get(name), later.get(name)) for name in names if only in (None, name)]


def _reloaded(name: str, before: ServedModel | None, after: ServedModel | None) -> ReloadedModel:
    old, new = _digests(before), _digests(after)
    statuses = after.versions if after else ()
    return ReloadedModel(
        name,
        live=after.live if after else None,
        ready=tuple(new),
        added=tuple(version for version in new if version not in old),
        replaced=tuple(version for version in new if old.get(version, new[version]) != new[version]),
        removed=tuple(version for version in old if version not in new),
        failed=tuple((status.entry.version, status.error) for status in statuses if status.error),
    )


def _digests(model: ServedModel | None) -> dict[int, str]:
    """The digests of the versions that are served, the oldest first."""
    versions = model.versions if model else ()
    return {status.entry.version: known.digest for status in versions if (known := status.description)}
