"""What must survive the process: jobs, in a database, and their files."""

from app.store.address import DatabaseAddress
from app.store.folders import JobFolders
from app.store.job import ENDED, Event, Job, JobPicture, JobState, Problem
from app.store.results import BucketResults, FolderResults, ResultFile, Results
from app.store.schema import ADMISSION, EXPIRY
from app.store.table import JobTable, LeaseLost

__all__ = [
    "ADMISSION",
    "ENDED",
    "EXPIRY",
    "BucketResults",
    "DatabaseAddress",
    "Event",
    "FolderResults",
    "Job",
    "JobFolders",
    "JobPicture",
    "JobState",
    "JobTable",
    "LeaseLost",
    "Problem",
    "ResultFile",
    "Results",
]
