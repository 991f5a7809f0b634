"""`--model auto`: chooses a detector for the pictures, by synthetic defects in normal ones."""

from app.training.selection.auto import Auto
from app.training.selection.candidates import CANDIDATES, Candidate
from app.training.selection.comparison import CLEAR
from app.training.selection.framing import alike
from app.training.selection.select import Selection, bounded, select

__all__ = ["CANDIDATES", "CLEAR", "Auto", "Candidate", "Selection", "alike", "bounded", "select"]
