"""Has candidates predict a share of the answered pictures."""

import asyncio
import logging
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from torch import Tensor

from app.admission import Budgets, cost_of
from app.artifacts import Artifact, Difference, Tally, Trial, now
from app.errors import TesseraError
from app.pipeline import Label, Question, judge
from app.scheduling import DeviceWorker, Job, ShadowPicture
from app.service.finished import finished
from app.service.predicted import Predicted
from app.service.shadow.ledger import ShadowLedger
from app.tiling import TilePlan

MOST_AT_ONCE = 4
"""The pictures that candidates have in work at once. More are dropped: they would only wait, and keep their pixels."""

_log = logging.getLogger(__name__)


class Verdict(NamedTuple):
    """The normalised score in [0, 1] and the label of a picture."""

    score: float
    label: Label


class Shadows:
    """Has candidates predict a share of the answered pictures as background work, and counts how verdicts differ.

    A picture is offered when its answer is made, and its candidate runs in spare time. A candidate reuses the decoded
    pixels, and borrows their memory until a request needs it. `request_id` returns the ID of the current request, by
    which the share is drawn, so that every server draws the same requests. Belongs to the event loop.
    """

    def __init__(
        self, ledger: ShadowLedger, worker: DeviceWorker, budgets: Budgets[Job], request_id: Callable[[], str]
    ) -> None:
        self._ledger, self._worker, self._budgets, self._request_id = ledger, worker, budgets, request_id
        self._running: set[asyncio.Task[None]] = set()

    def offer(self, predicted: Predicted) -> None:
        """Takes an answered picture, which a candidate may predict, too. Never waits and never raises.

        Only whole pictures are compared that the served version has judged.
        """
        name, question = predicted.artifact.name, predicted.question
        trial = self._ledger.trial(name)
        if trial is None or predicted.artifact.digest != trial.served_digest:
            return
        if question.roi is not None or question.partial or not is_drawn(self._request_id(), trial.share):
            return
        try:
            candidate = self._ledger.candidate(name, trial)
        except TesseraError:  # the comparison is paused
            return
        try:
            begun = self._begin(trial, candidate, predicted)
        except Exception:  # the answer must not depend on the candidate
            _log.exception("model %s: version %d cannot predict a picture as a shadow", name, trial.version)
            begun = False
        if not begun:
            self._ledger.add(name, trial, Tally(dropped=1))

    async def close(self) -> None:
        """Drops the pictures in work."""
        running = list(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    def _begin(self, trial: Trial, candidate: Artifact, predicted: Predicted) -> bool:
        """Begins to predict a picture; False if there is no room."""
        if len(self._running) >= MOST_AT_ONCE:
            return False
        plan = candidate.model.plan(*predicted.size)
        cost = cost_of(candidate.model, plan, predicted.size, None)
        try:
            self._budgets.require(cost)
        except TesseraError:
            return False
        loan = self._budgets.memory.lend(cost.memory_bytes, lambda: task.cancel())
        if loan is None:
            return False
        prediction = predicted.prediction  # without its map, which need not be kept
        served = Verdict(prediction.score, prediction.label)
        task = asyncio.create_task(
            self._compare(trial, candidate, plan, predicted.image, served, predicted.question, self._request_id())
        )
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        task.add_done_callback(lambda _: loan.release())
        return True

    async def _compare(
        self,
        trial: Trial,
        candidate: Artifact,
        plan: TilePlan,
        image: Tensor,
        served: Verdict,
        question: Question,
        request_id: str,
    ) -> None:
        found = Tally(dropped=1)
        try:
            with self._worker.admit_band() as ticket:
                done = await finished(self._worker.run(ShadowPicture(ticket, candidate.models, image, plan)))
            judged = judge(done.outcome.raw_score, (), candidate.calibration, question)
            found = tally_of(served, Verdict(judged.score, judged.label), request_id)
        except TesseraError as error:  # such as a device that failed
            _log.debug("model %s: version %d gave no verdict: %s", candidate.name, trial.version, error)
        except Exception:
            _log.exception("model %s: version %d failed as a shadow", candidate.name, trial.version)
        finally:
            self._ledger.add(candidate.name, trial, found)


def is_drawn(request_id: str, share: float) -> bool:
    """Whether a request belongs to the share of all requests; the same for the same ID on every server."""
    return int.from_bytes(sha256(request_id.encode()).digest()[:8]) < share * 2**64


def tally_of(served: Verdict, candidate: Verdict, request_id: str) -> Tally:
    """The tally of one picture."""
    if served.label is candidate.label:
        return Tally(compared=1)
    difference = Difference(
        at=now(),
        request_id=request_id,
        served_score=served.score,
        candidate_score=candidate.score,
        served_label=served.label,
        candidate_label=candidate.label,
    )
    more = candidate.label is Label.anomalous
    return Tally(compared=1, candidate_only=int(more), served_only=int(not more), latest=(difference,))
