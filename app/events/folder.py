"""A sink that writes events into a folder."""

from pathlib import Path

from app.errors import NotDelivered
from app.events.event import Event
from app.files import replacing, sweep, unfinished_directory


class FolderSink:
    """Writes `DAY/TIME-ID.json` for each event, complete or not at all; an event that is sent again replaces itself."""

    def __init__(self, name: str, folder: Path) -> None:
        self.name, self.parallel = name, 1
        self._folder = folder
        self._day = ""

    def send(self, event: Event) -> None:
        day, _, clock = event.time.partition("T")
        name = f"{clock.removesuffix('Z').replace(':', '').replace('.', '')}-{event.id}.json"
        if day != self._day:
            sweep(self._folder / day)  # what a killed process left
            self._day = day
        try:
            with replacing(self._folder / day / name) as temporary:
                temporary.write_bytes(event.body + b"\n")
        except OSError as error:
            raise NotDelivered(str(error)) from error

    def close(self) -> None:
        """Nothing is open."""


def require_writable(folder: Path) -> None:
    """Raises OSError unless files can be written in the folder, or the folder can be made. Leaves nothing behind."""
    place = folder
    while True:
        try:
            place.stat()
            break
        except FileNotFoundError:
            if place == place.parent:
                raise
            place = place.parent
    with unfinished_directory(place) as directory:  # as for each event
        (directory / "event").touch()
