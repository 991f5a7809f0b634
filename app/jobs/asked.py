"""What a client asks of a job, and how it is stored."""

import json
from dataclasses import dataclass

from app.pipeline import Criteria, Question, Roi


@dataclass(frozen=True, slots=True)
class AskedPicture:
    """A picture to predict: a file below the opened folder (`path`), or one of `length` bytes that is uploaded."""

    name: str
    path: str | None
    length: int


@dataclass(frozen=True, slots=True)
class AskedJob:
    """A job to make. `version` None: the live version of the model."""

    model: str
    version: int | None
    question: Question
    pictures: tuple[AskedPicture, ...]


def question_text(question: Question) -> str:
    """The question as it is stored."""
    criteria, roi = question.criteria, question.roi
    edges = None if roi is None else [roi.top, roi.left, roi.height, roi.width]
    return json.dumps({"threshold": criteria.threshold, "min_region_area": criteria.min_region_area, "roi": edges})


def question_of(text: str) -> Question:
    """The question that `question_text` stored."""
    found = json.loads(text)
    roi = None if found["roi"] is None else Roi(*found["roi"])
    return Question(Criteria(found["threshold"], found["min_region_area"]), roi)
