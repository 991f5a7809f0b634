"""Predicts the pictures of a watched folder, each once."""

import errno
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic

from app.api.schemas.verdict import VerdictBody
from app.artifacts import Artifact
from app.cli.predict import interpreted, write_files
from app.cli.results import Targets, targets
from app.data import MAX_PIXELS, reason
from app.decoding import decode
from app.errors import InvalidImage, InvalidRegion, LimitExceeded, TesseraError
from app.events import Event, Outlets, new_id, now
from app.files import open_regular, replacing
from app.pipeline import Question, predict
from app.terminal import console, print_error, print_skipped
from app.watching import Ledger, Record, Seen, Settling, State

PROBLEM = ".problem.json"
"""The ending of the file that says why a picture has no result."""
MOST_TRIES = 3
"""A picture during which the program ends this often, or the device fails, is set aside."""
RETRY_S = 10.0
"""The wait after an error that is not the picture's."""
STORED_WITHIN_S = 10.0

_OF_THE_PICTURE = (InvalidImage, InvalidRegion, LimitExceeded)
_OF_THE_PLACE = (OSError, sqlite3.Error)


@dataclass(slots=True)
class Watched:
    """Predicts the pictures of `folder`, and writes their results below `output`.

    done: where finished pictures are moved to; None: they stay
    pictures: whether overlays and masks are written
    patience_s: how long a picture that cannot be read may change before it is set aside: it may still be written
    """

    folder: Path
    output: Path
    done: Path | None
    artifact: Artifact
    question: Question
    pictures: bool
    ledger: Ledger
    outlets: Outlets
    settling: Settling
    patience_s: float
    predicted: int = 0
    set_aside: int = 0
    _finished: set[Seen] = field(default_factory=set)
    _unreadable: dict[Seen, str] = field(default_factory=dict)  # what waits for its second reading, with its digest

    def forget_others(self, found: list[Seen]) -> None:
        """Forgets files that are no longer there."""
        present = set(found)
        self._finished &= present
        self._unreadable = {seen: digest for seen, digest in self._unreadable.items() if seen in present}

    def is_finished(self, seen: Seen) -> bool:
        """Whether there is nothing more to do for the file."""
        return seen in self._finished

    def handle(self, seen: Seen, clock: Callable[[], float] = monotonic) -> None:
        """Predicts a picture, unless it is done. Errors are told; what may pass is tried again later."""
        try:
            self._handle(seen)
        except _OF_THE_PLACE as error:
            print_error(f"{self.folder / seen.name}: {reason(error)}; tried again in {RETRY_S:g} s")
            self.settling.wait_again(seen, clock(), RETRY_S)

    def _handle(self, seen: Seen) -> None:
        record = self.ledger.of(seen)
        if record is not None and record.state is not State.begun:
            self._finish(seen, record.state)  # as after a kill before it was moved
            return
        data = self._read(seen)
        if data is None:
            return
        digest = hashlib.sha256(data).hexdigest()
        if record is None or record.sha256 != digest:
            known = self.ledger.same(seen, digest)
            if known is not None:
                self.ledger.begin(seen, digest, "", "", known.state)
                console.print(f"done before   {seen.name}, as {known.name}", markup=False, soft_wrap=True)
                self._finish(seen, known.state)
                return
            self.ledger.drop_unfinished(seen.name)
            record = self.ledger.begin(seen, digest, self._free_name(seen), new_id())
        else:
            self.ledger.begin_again(record)
            if record.tries >= MOST_TRIES:
                self._set_aside(
                    seen, record, f"its prediction was begun {record.tries} times, and failed or never ended"
                )
                return
        self._predict(seen, record, data)

    def _predict(self, seen: Seen, record: Record, data: bytes) -> None:
        started = monotonic()
        try:
            image = decode(data, max_pixels=MAX_PIXELS)
            decoded = monotonic()
            outcome = predict(self.artifact.model, image, roi=self.question.roi)
        except _OF_THE_PICTURE as error:
            if self._unreadable.get(seen) == record.sha256:
                self._set_aside(seen, record, reason(error))
            else:  # it may still be written, by a camera that pauses
                self._unreadable[seen] = record.sha256
                self.ledger.withdraw(record)
                self.settling.wait_again(seen, monotonic(), self.patience_s)
            return
        except (TesseraError, RuntimeError, MemoryError) as error:  # of the device: it is tried again, a few times
            print_error(f"{seen.name}: {reason(error)}; tried again in {RETRY_S:g} s")
            self.settling.wait_again(seen, monotonic(), RETRY_S)
            return
        try:
            predicted = interpreted(self.artifact, image, outcome, self.question)
            written = targets(self.output, Path(record.result))
            body = write_files(predicted, written, (started, decoded, monotonic()), pictures=self.pictures)
            if self.outlets.wanted:
                verdict = VerdictBody.of(
                    replace(predicted, picture_digest=record.sha256),
                    seen.name,
                    id=record.event,
                    time=now(),
                    request_id=None,
                    source="watch",
                )
                event = Event(verdict.id, verdict.type, verdict.time, verdict.model_dump_json().encode())
                self.outlets.tell(event).result(STORED_WITHIN_S)
            self.ledger.finish(record, State.done)
        except _OF_THE_PLACE:
            self.ledger.withdraw(record)
            raise
        self.predicted += 1
        regions = f"{len(body.regions):3} region{' ' if len(body.regions) == 1 else 's'}"
        console.print(f"{body.label:9}  {body.score:.3f}  {regions}  {seen.name}", markup=False, soft_wrap=True)
        self._finish(seen, State.done)

    def _read(self, seen: Seen) -> bytes | None:
        """The file; None if it is another one now, which the next scan finds."""
        try:
            with open_regular(self.folder / seen.name) as file:
                data = file.read()
                status = os.fstat(file.fileno())
        except FileNotFoundError:
            return None
        return (
            data if (status.st_size, status.st_mtime_ns, len(data)) == (seen.size, seen.mtime_ns, seen.size) else None
        )

    def _free_name(self, seen: Seen) -> str:
        """The first name whose results overwrite nothing: cameras use names again, and formats share them."""
        plain, number = str(Path(seen.name).with_suffix("")), 1
        name = plain
        while self.ledger.is_taken(name) or any(path.exists() for path in _all(targets(self.output, Path(name)))):
            number += 1
            name = f"{plain}-{number}"
        return name

    def _set_aside(self, seen: Seen, record: Record, why: str) -> None:
        path = self.output / f"{record.result}{PROBLEM}"
        body = {"picture": {"name": seen.name, "sha256": record.sha256}, "time": now(), "problem": why}
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(body, indent=2) + "\n")
        self.ledger.finish(record, State.aside)
        self.set_aside += 1
        print_skipped(Path(seen.name), f"{why}; set aside")
        self._finish(seen, State.aside)

    def _finish(self, seen: Seen, state: State) -> None:
        """Moves a finished picture, if that is wanted."""
        self._finished.add(seen)
        if self.done is None:
            return
        try:
            move(self.folder / seen.name, self.done / ("damaged" if state is State.aside else "") / seen.name)
        except OSError as error:
            print_error(f"{self.folder / seen.name} cannot be moved, and stays: {reason(error)}")


def move(source: Path, target: Path) -> None:
    """Moves a file, also to another file system, to a free name beside `target`. Raises OSError."""
    place, number = target, 1
    while place.exists():
        number += 1
        place = target.with_stem(f"{target.stem}-{number}")
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        source.rename(place)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with replacing(place) as temporary:
            shutil.copy2(source, temporary)
        source.unlink()


def _all(files: Targets) -> tuple[Path, ...]:
    problem = files.body.with_name(files.body.name.removesuffix(".json") + PROBLEM)
    return files.body, files.overlay, files.mask, problem
