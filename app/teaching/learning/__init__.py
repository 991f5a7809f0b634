"""The learning half of teaching: a candidate from a trained version and all reviewed pictures."""

from app.teaching.learning.learn import learn
from app.teaching.learning.learned import Learned

__all__ = ["Learned", "learn"]
