"""Whether there is a cluster at an address. Does not import `ray`, which takes seconds."""

import socket

from app.errors import CannotServe

CONNECTED_WITHIN_S = 5.0


def require_cluster(address: str) -> None:
    """Raises CannotServe unless something listens at this host and port. Ray itself would try for minutes."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host, int(port)), timeout=CONNECTED_WITHIN_S).close()
    except (OSError, ValueError, OverflowError) as error:
        raise no_cluster(address, error) from error


def no_cluster(address: str, error: Exception) -> CannotServe:
    return CannotServe(
        f"no Ray cluster can be reached at {address}: {error}; `tessera cluster up` starts one on this machine"
    )
