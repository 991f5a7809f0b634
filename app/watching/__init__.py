"""Finds new pictures in a folder that cameras write to, and remembers which ones are done."""

from app.watching.ledger import Ledger, Record, State
from app.watching.scan import Scan, Seen, scan
from app.watching.settling import Settling

__all__ = ["Ledger", "Record", "Scan", "Seen", "Settling", "State", "scan"]
