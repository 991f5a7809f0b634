"""Candidates that run beside served versions, on a share of their pictures, and what they have found."""

from app.service.shadow.ledger import ShadowLedger
from app.service.shadow.shadows import Shadows
from app.service.shadow.status import ShadowState, ShadowStatus

__all__ = ["ShadowLedger", "ShadowState", "ShadowStatus", "Shadows"]
