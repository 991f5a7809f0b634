"""Compares the pictures that are predicted with those of each model's training."""

import logging
from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock

from torch import Tensor

from app.artifacts import Artifact
from app.drift import CameraChanged, Monitor, appearance, map_levels
from app.pipeline import Prediction

MOST_MONITORS = 64
"""The largest number of versions that are followed; each takes less than 0.5 MB."""

_log = logging.getLogger(__name__)

Receiver = Callable[[CameraChanged], None]


class Cameras:
    """The monitors of the versions that were used most recently, by the digests of their manifests.

    A monitor lives as long as the process: it outlives reloads of other versions, and begins anew with the next
    process. `receivers` get each alarm, in the thread that rendered the picture; they must not block. Any thread may
    call every method.
    """

    def __init__(self, receivers: Sequence[Receiver] = ()) -> None:
        self._receivers = (_log_change, *receivers)
        self._monitors: OrderedDict[str, Monitor] = OrderedDict()
        self._lock = Lock()

    def add(self, artifact: Artifact, picture: Tensor, prediction: Prediction) -> None:
        """Takes a picture [C,H,W] whose prediction has no region of interest, if the artifact has a baseline.

        Leaves out pictures of which only a part was looked at: their maps have no levels in the other parts.
        """
        monitor, coverage = self.monitor(artifact), prediction.coverage
        if monitor is None or not (coverage is None or coverage.complete):
            return
        grid = monitor.baseline.grid
        found = appearance(picture, grid) | map_levels(prediction.anomaly_map, prediction.raw_score, grid)
        monitor.add(found)

    def monitor(self, artifact: Artifact) -> Monitor | None:
        """The monitor of a version; None: its artifact has no baseline."""
        record = artifact.manifest.camera
        if record is None:
            return None
        with self._lock:
            found = self._monitors.get(artifact.digest)
            if found is None:
                found = Monitor(artifact.name, artifact.version, record.build(), self._report)
                self._monitors[artifact.digest] = found
                if len(self._monitors) > MOST_MONITORS:
                    self._monitors.popitem(last=False)
            self._monitors.move_to_end(artifact.digest)
            return found

    def known(self, artifact: Artifact) -> Monitor | None:
        """The monitor of a version for which pictures came; None: there is none."""
        with self._lock:
            return self._monitors.get(artifact.digest)

    def _report(self, event: CameraChanged) -> None:
        for receive in self._receivers:
            receive(event)


def _log_change(event: CameraChanged) -> None:
    _log.warning(
        "model %s version %d: the pictures differ from those of the training (%s, %s) since picture %d; "
        "GET /v1/models/%s/health shows how",
        event.model,
        event.version,
        ", ".join(event.changes),
        "suddenly" if event.sudden else "slowly",
        event.since,
        event.model,
    )
