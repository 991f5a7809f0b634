"""Candidates become versions that do not serve yet."""

from app.artifacts import Entry, ModelRepository, adopt, promote, read_with_digest
from app.errors import TeachingConflict


def adopt_candidate(made: Entry, repository: ModelRepository, served: int, digest: str) -> Entry:
    """Writes a candidate of another repository as the next version of its model, which does not serve.

    The version `served`, whose manifest has this SHA-256, is pinned before. A kill leaves the version whole, or none.
    Raises TeachingConflict if another version serves by now, and as `adopt`.
    """
    pin_served(repository, made.name, served, digest)
    return adopt(made, repository, joins=True)


def pin_served(repository: ModelRepository, name: str, version: int, digest: str) -> None:
    """Pins the version that serves, so that a newer one does not. Raises TeachingConflict if it is another one."""

    def require_proved(entry: Entry) -> None:
        if entry.version != version or read_with_digest(entry.path)[1] != digest:
            raise TeachingConflict(
                f"the candidate was compared with version {version} of {name!r}, and version {entry.version} serves by "
                "now, or its files were replaced; teach again"
            )

    promote(repository, name, None, require_proved, "pin")
