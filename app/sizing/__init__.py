"""How many processors or cards, and how much memory, a rate of pictures needs: measured on this machine."""

from app.sizing.estimate import BUSY_SHARE, Need, need_of
from app.sizing.figures import Figures, Place, default_file, read_figures, write_figures
from app.sizing.measurement import FileFormat, measure, resident_bytes
from app.sizing.work import ANSWER_BYTES, Demand, Work, highest_rate, work_of

__all__ = [
    "ANSWER_BYTES",
    "BUSY_SHARE",
    "Demand",
    "Figures",
    "FileFormat",
    "Need",
    "Place",
    "Work",
    "default_file",
    "highest_rate",
    "measure",
    "need_of",
    "read_figures",
    "resident_bytes",
    "work_of",
    "write_figures",
]
