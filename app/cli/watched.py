"""Predicts the pictures of a watched folder, each once."""

import hashlib
import json
import os
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TypeVar

from app.api.schemas.verdict import VerdictBody
from app.artifacts import Artifact
from app.cli.predict import interpreted, write_files
from app.cli.result_names import OF_THE_NAME, all_files, exists, move, plain_name, write_problem
from app.cli.results import targets
from app.data import MAX_PIXELS, reason
from app.decoding import decode
from app.errors import InvalidImage, InvalidRegion, LimitExceeded, TesseraError
from app.events import Event, Outlets, new_id, now
from app.files import open_regular
from app.pipeline import Question, predict
from app.shown import printable
from app.terminal import print_error, print_line, print_skipped
from app.watching import Ledger, Record, Seen, Settling, State

MOST_TRIES = 3
"""A picture during which the program ends this often, or whose prediction fails this often, is set aside."""
RETRY_S = 10.0
"""The wait after an error that is not the picture's."""
STORED_WITHIN_S = 10.0

T = TypeVar("T")
_OF_THE_PICTURE = (InvalidImage, InvalidRegion, LimitExceeded)
_OF_THE_PLACE = (OSError, sqlite3.Error)


@dataclass(slots=True)
class Watched:
    """Predicts the pictures of `folder`, and writes their results below `output`.

    done: where finished pictures are moved to; None: they stay
    pictures: whether overlays and masks are written
    patience_s: how long a picture that cannot be read may change before it is set aside: it may still be written
    once: whether a picture that fails more than MOST_TRIES times for a reason of its place, such as rights, is left for
        the next start, rather than tried for as long as the command runs
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
    once: bool
    predicted: int = 0
    set_aside: int = 0
    left: int = 0
    _failures: dict[Seen, int] = field(default_factory=dict)
    _finished: set[Seen] = field(default_factory=set)
    _unreadable: dict[Seen, str] = field(default_factory=dict)  # what waits for its second reading, with its digest

    def forget_others(self, found: list[Seen]) -> None:
        """Forgets files that are no longer there."""
        present = set(found)
        self._finished &= present
        self._failures = {seen: count for seen, count in self._failures.items() if seen in present}
        self._unreadable = {seen: digest for seen, digest in self._unreadable.items() if seen in present}

    def is_finished(self, seen: Seen) -> bool:
        """Whether there is nothing more to do for the file."""
        return seen in self._finished

    def handle(self, seen: Seen, clock: Callable[[], float] = monotonic) -> None:
        """Predicts a picture, unless that was done before.

        An error is printed, and the picture is tried again later, at most MOST_TRIES times unless the error is one of
        the place. No error of one picture ends the command, because the others must go on.
        """
        try:
            self._handle(seen)
        except Exception as error:
            self._failures[seen] = self._failures.get(seen, 0) + 1
            passes = isinstance(error, _OF_THE_PLACE) and not self.once
            last = self._failures[seen] > MOST_TRIES and not passes
            then = "left for the next start" if last else f"tried again in {RETRY_S:g} s"
            print_error(f"{self.folder / seen.name}: {reason(error)}; {then}")
            if last:
                self.left += 1
                self._finished.add(seen)
            else:
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
                print_line(f"done before   {seen.name}, as {known.name}")
                self._finish(seen, known.state)
                return
            self.ledger.drop_unfinished(seen.name)
            record = self.ledger.begin(seen, digest, self._free_name(str(Path(seen.name).with_suffix(""))), new_id())
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
            times = started, decoded, monotonic()
            body = self._at_its_name(
                record, lambda path: write_files(predicted, targets(path), times, pictures=self.pictures)
            )
            if self.outlets.wanted:
                verdict = VerdictBody.of(
                    replace(predicted, picture_digest=record.sha256),
                    printable(seen.name),
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
        print_line(f"{body.label:9}  {body.score:.3f}  {regions}  {seen.name}")
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

    def _free_name(self, plain: str) -> str:
        """The first name whose results overwrite nothing: cameras use names again, and formats share them."""
        name, number = plain, 1
        while self.ledger.is_taken(name) or any(map(exists, all_files(self.output / name))):
            number += 1
            name = f"{plain}-{number}"
        return name

    def _at_its_name(self, record: Record, write: Callable[[Path], T]) -> T:
        """Calls `write` with the path of a picture's results without suffix, whatever names the file system takes."""
        try:
            return write(self.output / record.result)
        except OSError as error:
            if error.errno not in OF_THE_NAME:
                raise
        record = self.ledger.rename(record, self._free_name(plain_name(record)))
        return write(self.output / record.result)

    def _set_aside(self, seen: Seen, record: Record, why: str) -> None:
        body = {"picture": {"name": printable(seen.name), "sha256": record.sha256}, "time": now(), "problem": why}
        self._at_its_name(record, partial(write_problem, text=json.dumps(body, indent=2) + "\n"))
        self.ledger.finish(record, State.aside)
        self.set_aside += 1
        print_skipped(Path(seen.name), f"{why}; set aside")
        self._finish(seen, State.aside)

    def _finish(self, seen: Seen, state: State) -> None:
        """Moves a finished picture, if that is wanted."""
        self._finished.add(seen)
        if self.done is None:
            return
        place = self.done / ("damaged" if state is State.aside else "")
        try:
            try:
                move(self.folder / seen.name, place / seen.name)
            except OSError as error:
                record = self.ledger.of(seen)
                if error.errno not in OF_THE_NAME or record is None:
                    raise
                move(self.folder / seen.name, place / (plain_name(record) + Path(seen.name).suffix))
        except _OF_THE_PLACE as error:
            print_error(f"{self.folder / seen.name} cannot be moved, and stays: {reason(error)}")
