"""Checks that a review fits its picture."""

from app.errors import InvalidReview
from app.reviews import ReviewLabel
from app.store.kept.picture import KeptPicture, Review

MOST_MISSED = 200
"""The most polygons that a review draws."""
MOST_POINTS = 20_000
"""The most points of all polygons of a review."""


def check_review(picture: KeptPicture, review: Review) -> None:
    """Raises InvalidReview if the review does not fit the picture, or contradicts itself."""
    known, judged = len(picture.verdict.regions), [number for number, _ in review.regions]
    for number in judged:
        if not 0 <= number < known:
            raise InvalidReview(
                f"the picture has {known} regions, numbered from 0, and the review judges region {number}"
            )
    if len(judged) > len(set(judged)):
        raise InvalidReview("the review judges a region twice; give each region once")
    if len(review.missed) > MOST_MISSED:
        raise InvalidReview(f"the review draws {len(review.missed)} areas, and at most {MOST_MISSED} are taken")
    rings = [ring for polygon in review.missed for ring in polygon]
    points = sum(map(len, rings))
    if points > MOST_POINTS:
        raise InvalidReview(
            f"the drawn areas have {points:,} points, and at most {MOST_POINTS:,} are taken; draw them with fewer"
        )
    height, width = picture.size
    for ring in rings:
        if len(ring) < 3:
            raise InvalidReview(f"a ring of a drawn area has {len(ring)} points; give at least 3")
        if not all(0 <= x <= width and 0 <= y <= height for x, y in ring):
            raise InvalidReview(f"a drawn area leaves the picture, which has {width} x {height} pixels")
    has_defect = bool(review.missed) or any(label is ReviewLabel.defect for _, label in review.regions)
    if has_defect and review.label is not ReviewLabel.defect:
        raise InvalidReview(
            f"the review calls the picture {review.label}, and one of its regions a defect; call the picture a defect"
        )
