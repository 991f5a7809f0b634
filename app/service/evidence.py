"""Finds evidence for the regions of a picture as work of the device worker."""

from torch import Tensor

from app.admission import Ticket
from app.artifacts import Artifact
from app.pipeline import Evidence, Neighbour, Prediction, RegionEvidence, Roi
from app.scheduling import DeviceWorker, EvidenceWork, Job
from app.service.finished import finished


async def find_evidence(
    evidence: Evidence,
    worker: DeviceWorker,
    ticket: Ticket[Job],
    artifact: Artifact,
    image: Tensor,
    prediction: Prediction,
    roi: Roi | None,
) -> tuple[tuple[RegionEvidence, ...], float]:
    """Evidence for the first regions of a picture [C,H,W], see `Evidence.compute`, and the device time in seconds.

    The worker works on one region after the other, and on other pictures in between. The ticket has admitted
    `evidence.most_tiles`. Raises the errors of the futures of `DeviceWorker`.
    """
    found, device_s = [], 0.0
    for region, cell in evidence.peaks(prediction):
        neighbours: tuple[Neighbour, ...] = ()
        if evidence.normal is not None:
            with ticket.part(evidence.grid.tiles(cell).count) as part:
                work = EvidenceWork(part, artifact.models, image, evidence.grid, cell, evidence.normal)
                done = await finished(worker.run(work))
            neighbours, device_s = done.outcome, device_s + done.device_s
        found.append(evidence.of_region(region, prediction, neighbours, roi))
    return tuple(found), device_s
