"""Synthetic pictures, for training without photographs."""

from app.synthesis.pictures import draw

__all__ = ["draw"]
