"""Whether a version that was just written serves."""

from app.artifacts import Entry, ModelRepository, live_version


def pin_notes(written: Entry, repository: ModelRepository) -> list[str]:
    """A note if another version is pinned, so that the new one does not serve."""
    live = live_version(repository, written.name)
    if live in (None, written.version):
        return []
    return [
        f"note: version {live} is pinned and serves; next: tessera models promote --name {written.name} --version "
        f"{written.version}"
    ]
