import torch

from app.reviews import ReviewedPicture, ReviewedRegion, ReviewLabel
from app.teaching.learning.lessons import lessons_of

SQUARE = ((0.0, 0.0), (8.0, 0.0), (8.0, 8.0), (0.0, 8.0))


def picture(digest: str, label: str, *regions: str, name: str = "") -> ReviewedPicture:
    areas = tuple(ReviewedRegion(ReviewLabel(each), (SQUARE,)) for each in regions)
    return ReviewedPicture(name or digest, digest, ReviewLabel(label), areas, lambda: torch.empty(0))


def test_lessons_do_not_depend_on_the_order() -> None:
    reviewed = [
        picture("c", "harmless"),
        picture("a", "defect", "defect"),
        picture("b", "defect", "harmless", "defect"),
    ]
    found = lessons_of(reviewed, ())
    assert found == lessons_of(reviewed[::-1], ())
    assert [(each.picture.digest, each.learned, each.normal, each.defect) for each in found.taken] == [
        ("b", True, False, True),
        ("c", True, True, False),
        ("a", False, False, True),
    ]


def test_unsure_teaches_nothing_and_the_last_review_counts() -> None:
    found = lessons_of([picture("a", "harmless"), picture("a", "unsure"), picture("b", "harmless", "unsure")], ())
    assert [each.picture.digest for each in found.taken] == ["b"]
    assert not found.taken[0].learned and found.taken[0].normal
    assert found.unsure == 1
    assert found.notes() == ["left out: 1 of which the review is unsure"]


def test_pictures_of_the_training_teach_nothing_new() -> None:
    found = lessons_of([picture("a", "harmless", name="x.png"), picture("b", "defect")], {"a", "b"})
    assert [each.picture.digest for each in found.taken] == ["b"]
    assert found.notes() == ["left out: x.png, on which the model was trained"]
