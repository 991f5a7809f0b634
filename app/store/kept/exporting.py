"""Exports kept pictures with their reviews as a folder, which another store can take.

`reviews.json` has a GeoJSON FeatureCollection (RFC 7946) for each picture, in pixels with y downward, as the answers of
`predict` have them; `pictures/` has the files.
"""

import json
from collections.abc import Iterable
from pathlib import Path

from app.errors import InvalidPictures, PictureNotFound
from app.files import replacing
from app.reviews import ReviewLabel
from app.store.kept.files import PictureFile
from app.store.kept.picture import KeptPicture, KeptRegion, Polygon
from app.store.kept.store import PictureStore

FORMAT = "tessera.reviews.v1"
LIST = "reviews.json"
ENDINGS = {"JPEG": ".jpg", "PNG": ".png", "WebP": ".webp", "BMP": ".bmp", "TIFF": ".tif", "AVIF": ".avif"}
"""The endings of pictures, by their formats."""
EXTRAS = PictureFile.heatmap, PictureFile.shown
"""The files that a picture may have beside its own."""


def export(store: PictureStore, folder: Path, pictures: Iterable[KeptPicture]) -> int:
    """Writes pictures with their reviews to a folder, which is new or empty; returns their number.

    Pictures that are removed meanwhile are left out. The list is written last, so that a folder with a list is
    complete. Raises InvalidPictures or OSError.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise InvalidPictures(f"{folder} is there already, and is not an empty directory; name a new one")
    listed = []
    for picture in pictures:
        name = f"{picture.id}{ENDINGS[picture.format]}"
        names = {PictureFile.picture: name} | {extra: f"{picture.id}.{extra.value}" for extra in EXTRAS}
        try:
            files = {file: store.read(picture.id, file) for file in names if store.has(picture.id, file)}
        except PictureNotFound:
            continue
        if PictureFile.picture not in files:
            continue
        for file, content in files.items():
            with replacing(folder / "pictures" / names[file]) as temporary:
                temporary.write_bytes(content)
        listed.append(_described(picture, f"pictures/{name}"))
    with replacing(folder / LIST) as temporary:
        temporary.write_text(json.dumps({"type": FORMAT, "pictures": listed}, indent=1) + "\n")
    return len(listed)


def _described(picture: KeptPicture, file: str) -> dict[str, object]:
    verdict, review, (height, width) = picture.verdict, picture.review, picture.size
    judged = dict(review.regions) if review else {}
    features = [_feature(each.outline, judged.get(number), each) for number, each in enumerate(verdict.regions)]
    features += [_feature((polygon,), ReviewLabel.defect, None) for polygon in (review.missed if review else ())]
    return {
        "file": file,
        "name": picture.name,
        "sha256": picture.digest,
        "format": picture.format,
        "image": {"width": width, "height": height},
        "model": {"name": verdict.model, "version": verdict.version, "digest": verdict.digest},
        "score": verdict.score,
        "threshold": verdict.threshold,
        "label": verdict.label,
        "region_count": verdict.region_count,
        "request_id": verdict.request_id,
        "review": None
        if review is None
        else {"label": review.label, "reviewer": review.reviewer, "time_s": review.time_s},
        "regions": {"type": "FeatureCollection", "features": features},
    }


def _feature(outline: tuple[Polygon, ...], judged: ReviewLabel | None, region: KeptRegion | None) -> dict[str, object]:
    """A region of the verdict, or an area that a person drew (`region` None)."""
    polygons = [[[*ring, ring[0]] for ring in polygon] for polygon in outline]
    properties: dict[str, object] = {"review": judged, "missed": region is None}
    if region is not None:
        properties |= {
            "score": region.score,
            "area": region.area,
            "box": [region.top, region.left, region.height, region.width],
            "peak": region.peak,
        }
    return {
        "type": "Feature",
        "geometry": {"type": "MultiPolygon", "coordinates": polygons},
        "properties": properties,
    }
