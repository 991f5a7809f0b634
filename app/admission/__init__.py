"""Admission: what a request costs, and the budgets of the process that it must fit into, before anything is spent."""

from app.admission.budgets import Budgets, Limits, limits_for
from app.admission.costs import HEATMAP_BYTES, MAP_FILE_BYTES, MASK_BYTES, OUTLINE_BYTES, Cost, cost_of, stream_bytes
from app.admission.memory import Loan, WorkMemory
from app.admission.queue import Ticket, TileQueue
from app.admission.share import RequestShare
from app.admission.tile_rate import TileRate, TileRates
from app.admission.uploads import Upload, Uploads

__all__ = [
    "HEATMAP_BYTES",
    "MAP_FILE_BYTES",
    "MASK_BYTES",
    "OUTLINE_BYTES",
    "Budgets",
    "Cost",
    "Limits",
    "Loan",
    "RequestShare",
    "Ticket",
    "TileQueue",
    "TileRate",
    "TileRates",
    "Upload",
    "Uploads",
    "WorkMemory",
    "cost_of",
    "limits_for",
    "stream_bytes",
]
