"""The limits of connections, and how many connections the open files of the process allow."""

from dataclasses import dataclass

OWN_FILES = 64
"""The open files that the server keeps for itself beyond those at its start: models, decoders, reloads."""
FEWEST = 8
_MOST_OPENED = 8
_MOST_REFUSED = 64


@dataclass(frozen=True, slots=True)
class ConnectionLimits:
    """The limits of all connections, and of each one.

    connections: the largest number of open connections, at least 8
    head_timeout_s: the time in which a client must send the whole head of a request
    stall_timeout_s: the time for which a client may send or read less than `least_bytes_per_s`
    least_bytes_per_s: the least rate at which a body must come and a response must be read
    """

    connections: int
    head_timeout_s: float
    stall_timeout_s: float
    least_bytes_per_s: float

    @property
    def spare(self) -> int:
        """The connections without a request in progress that are always possible: a quarter."""
        return self.connections // 4

    @property
    def requests(self) -> int:
        """The largest number of requests in progress."""
        return self.connections - self.spare

    @property
    def probes(self) -> int:
        """The largest number of requests in progress when another probe arrives."""
        return self.connections - self.spare // 2

    @property
    def opened_per_turn(self) -> int:
        """The number of accepted connections that one turn of the event loop opens; as many probes may be added.

        An open connection needs three turns until its request is read.
        """
        return max(1, min(self.spare // 16, _MOST_OPENED))

    @property
    def refused_per_turn(self) -> int:
        """The number of connections that one turn of the event loop closes to make room for accepted ones."""
        return max(1, min(self.spare // 4, _MOST_REFUSED))


def limit_for(most: int, free_files: int) -> int:
    """The largest number of connections, at most `most`, for this number of free files.

    A connection takes a file, and a request, of which there are three for four connections, may take another one for
    its upload.
    """
    return max(FEWEST, min(most, (free_files - OWN_FILES) * 4 // 7))
