"""What jobs may take."""

from dataclasses import dataclass

PIXEL_BYTES = 16
"""The space on the disk that a pixel may take, so that no job fails for it: its map (4), the three pyramids without
compression (8), and the temporary file of a picture that is turned.
"""


@dataclass(frozen=True, slots=True)
class JobLimits:
    """The limits of jobs.

    running: the jobs that run at once
    per_key: the number of jobs of one key
    bytes_per_key: the space that the jobs of one key may take
    free_bytes: the space that stays free on the disk
    expiry_s: how long results, and uploads that do not go on, are kept
    lease_s: how long a server keeps a job whose lease it does not renew
    """

    running: int
    per_key: int
    bytes_per_key: int
    free_bytes: int
    expiry_s: float
    lease_s: float
