"""What must survive the process: jobs, in a database, and their files."""

from app.store.folders import JobFolders
from app.store.job import ENDED, Event, Job, JobPicture, JobState, Problem
from app.store.results import BucketResults, FolderResults, ResultFile, Results
from app.store.table import JobTable

__all__ = [
    "ENDED",
    "BucketResults",
    "Event",
    "FolderResults",
    "Job",
    "JobFolders",
    "JobPicture",
    "JobState",
    "JobTable",
    "Problem",
    "ResultFile",
    "Results",
]
