"""Kept pictures as rows, and regions and reviews as JSON."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping

from app.reviews import ReviewLabel, Ring
from app.store.kept.picture import KeptPicture, KeptRegion, Polygon, Review, Verdict


def picture_row(picture: KeptPicture) -> dict[str, object]:
    """The row of a picture."""
    verdict, review, (height, width) = picture.verdict, picture.review, picture.size
    return {
        "id": picture.id,
        "name": picture.name,
        "digest": picture.digest,
        "format": picture.format,
        "bytes": picture.bytes,
        "height": height,
        "width": width,
        "model": verdict.model,
        "version": verdict.version,
        "model_digest": verdict.digest,
        "score": verdict.score,
        "threshold": verdict.threshold,
        "uncertainty": verdict.uncertainty,
        "label": verdict.label,
        "regions": regions_text(verdict.regions),
        "region_count": verdict.region_count,
        "request_id": verdict.request_id,
        "kept_s": picture.kept_s,
        "rule": picture.rule,
        "review": None if review is None else review_text(review),
        "reviewed_s": None if review is None else review.time_s,
        "revision": picture.revision,
    }


def picture_of_row(row: RowMapping) -> KeptPicture:
    """The picture of its row."""
    verdict = Verdict(
        row["model"],
        row["version"],
        row["model_digest"],
        row["score"],
        row["threshold"],
        row["label"],
        regions_of(row["regions"]),
        row["region_count"],
        row["request_id"],
    )
    return KeptPicture(
        row["id"],
        row["name"],
        row["digest"],
        row["format"],
        row["bytes"],
        (row["height"], row["width"]),
        verdict,
        row["kept_s"],
        row["rule"],
        None if row["review"] is None else review_of(row["review"]),
        row["revision"],
    )


def regions_text(regions: Sequence[KeptRegion]) -> str:
    """The regions of a verdict as JSON."""
    described = [
        {
            "box": [each.top, each.left, each.height, each.width],
            "area": each.area,
            "score": each.score,
            "peak": each.peak,
            "outline": each.outline,
        }
        for each in regions
    ]
    return json.dumps(described, separators=(",", ":"))


def regions_of(text: str) -> tuple[KeptRegion, ...]:
    """The regions that `regions_text` wrote. Raises ValueError, KeyError or TypeError for other text."""
    return tuple(map(_region, json.loads(text)))


def review_text(review: Review) -> str:
    """A review as JSON."""
    described = {
        "label": review.label,
        "regions": review.regions,
        "missed": review.missed,
        "reviewer": review.reviewer,
        "time_s": review.time_s,
    }
    return json.dumps(described, separators=(",", ":"))


def review_of(text: str) -> Review:
    """The review that `review_text` wrote. Raises ValueError, KeyError or TypeError for other text."""
    found = json.loads(text)
    regions = tuple((int(number), ReviewLabel(label)) for number, label in found["regions"])
    return Review(
        ReviewLabel(found["label"]), regions, _polygons(found["missed"]), str(found["reviewer"]), float(found["time_s"])
    )


def _region(found: Any) -> KeptRegion:
    top, left, height, width = found["box"]
    row, column = found["peak"]
    return KeptRegion(
        top, left, height, width, found["area"], found["score"], (row, column), _polygons(found["outline"])
    )


def _polygons(found: Any) -> tuple[Polygon, ...]:
    return tuple(tuple(_ring(ring) for ring in polygon) for polygon in found)


def _ring(found: Any) -> Ring:
    return tuple((float(x), float(y)) for x, y in found)
