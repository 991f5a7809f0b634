"""The limits of connections: how many there are, and how long each may wait."""

from app.connections.limits import ConnectionLimits, limit_for
from app.connections.lobby import Lobby
from app.connections.protocol import LimitedProtocol
from app.connections.sharing import SharingSelector
from app.connections.slices import Slices
from app.connections.table import ConnectionObserver, ConnectionTable, Reason

__all__ = [
    "ConnectionLimits",
    "ConnectionObserver",
    "ConnectionTable",
    "LimitedProtocol",
    "Lobby",
    "Reason",
    "SharingSelector",
    "Slices",
    "limit_for",
]
