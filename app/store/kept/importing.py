"""Imports the pictures with their reviews of a folder that `export` wrote."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import InvalidPictures, InvalidReview, PictureNotFound, ReviewConflict
from app.files import read_regular
from app.reviews import ReviewLabel
from app.store.kept.draft import Draft, Kept
from app.store.kept.exporting import ENDINGS, EXTRAS, FORMAT, LIST
from app.store.kept.files import PictureFile
from app.store.kept.picture import KeptPicture, KeptRegion, Polygon, Review, Verdict
from app.store.kept.review import check_review
from app.store.kept.store import MOST_FILE_BYTES, PictureStore

MOST_LIST_BYTES = 2**31
LATEST_S = 2**37
"""Reviews are made before this time, in seconds since 1970: later ones have no date in Python."""
IMPORTED = "imported"
"""The rule of pictures that were imported."""
_FILE = re.compile(r"[0-9a-z]+\.[a-z]+")


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the pictures of a folder.

    added: new in the store
    updated: known, and their review was older or missing
    unchanged: known, and their review is as new or newer
    full: for which the store had no room
    """

    added: int = 0
    updated: int = 0
    unchanged: int = 0
    full: int = 0


def import_folder(store: PictureStore, folder: Path) -> Imported:
    """Adds the pictures of an exported folder with their reviews. Of two reviews of a picture, the newer one stays.

    Raises InvalidPictures for a folder that `export` did not write, and OSError. Pictures before the faulty one stay.
    """
    counts = dict.fromkeys(("added", "updated", "unchanged", "full"), 0)
    for entry in _entries(folder / LIST):
        counts[_imported(store, folder, entry)] += 1
    return Imported(**counts)


def _imported(store: PictureStore, folder: Path, entry: dict[str, Any]) -> str:
    try:
        draft, digest, review = _draft(folder, entry)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
        name = str(entry.get("file", "?"))[:80] if isinstance(entry, dict) else "?"
        raise InvalidPictures(f"{folder / LIST}: the entry of {name} cannot be understood: {error}") from error
    size = sum(map(len, draft.files.values()))
    picture = KeptPicture("0", draft.name, digest, draft.format, size, draft.size, draft.verdict, 0.0, draft.rule)
    if review is not None:
        try:
            check_review(picture, review)
        except InvalidReview as error:
            raise InvalidPictures(f"{folder / LIST}: the review of {entry['file']}: {error}") from error
    outcome, id = store.add(draft, review=review)
    if outcome is not Kept.known:
        return "added" if outcome is Kept.kept else "full"
    try:
        known = store.get(id)
    except PictureNotFound:  # it was removed at this moment
        return "unchanged"
    is_newer = review is not None and (known.review is None or known.review.time_s < review.time_s)
    if review is None or not is_newer or known.verdict.digest != draft.verdict.digest:
        return "unchanged"
    try:
        store.review(known.id, known.revision, review)
    except (ReviewConflict, PictureNotFound):  # a person has reviewed it at this moment, or it was removed
        return "unchanged"
    return "updated"


def _entries(path: Path) -> list[dict[str, Any]]:
    try:
        found = json.loads(read_regular(path, MOST_LIST_BYTES))
    except FileNotFoundError as error:
        raise InvalidPictures(
            f"{path.parent} has no {LIST}; give a folder that `tessera reviews export` wrote"
        ) from error
    except ValueError as error:
        raise InvalidPictures(f"{path} is not JSON: {error}") from error
    if not isinstance(found, dict) or found.get("type") != FORMAT or not isinstance(found.get("pictures"), list):
        raise InvalidPictures(f"{path} is no list of reviews of the type {FORMAT}; export the reviews again")
    return list(found["pictures"])


def _draft(folder: Path, entry: dict[str, Any]) -> tuple[Draft, str, Review | None]:
    """The picture of an entry, the digest of its file, and its review."""
    head, _, file = str(entry["file"]).partition("/")
    if head != "pictures" or not _FILE.fullmatch(file):
        raise ValueError("its file must be pictures/NAME.ENDING")
    if entry["format"] not in ENDINGS:
        raise ValueError(f"the format {entry['format']!r} is not one of {', '.join(ENDINGS)}")
    files = {PictureFile.picture: read_regular(folder / "pictures" / file, MOST_FILE_BYTES)}
    digest = hashlib.sha256(files[PictureFile.picture]).hexdigest()
    if digest != entry["sha256"]:
        raise ValueError("the file is not the one that was exported: its SHA-256 differs")
    for extra in EXTRAS:
        path = folder / "pictures" / f"{file.partition('.')[0]}.{extra.value}"
        if path.exists():
            files[extra] = read_regular(path, MOST_FILE_BYTES)
    features = entry["regions"]["features"]
    found = [each for each in features if not each["properties"]["missed"]]
    verdict = Verdict(
        str(entry["model"]["name"]),
        _number(entry["model"]["version"]),
        str(entry["model"]["digest"]),
        _share(entry["score"]),
        _share(entry["threshold"]),
        _label(entry["label"]),
        tuple(map(_region, found)),
        _number(entry["region_count"]),
        str(entry["request_id"]),
    )
    size = _number(entry["image"]["height"]), _number(entry["image"]["width"])
    draft = Draft(str(entry["name"]), entry["format"], size, verdict, IMPORTED, files)
    return draft, digest, _review(entry["review"], features, found)


def _region(feature: dict[str, Any]) -> KeptRegion:
    own = feature["properties"]
    top, left, height, width = map(int, own["box"])
    row, column = map(int, own["peak"])
    return KeptRegion(
        top, left, height, width, int(own["area"]), _share(own["score"]), (row, column), _outline(feature)
    )


def _share(value: object) -> float:
    """A number in [0, 1]. Raises TypeError or ValueError."""
    number = float(value)  # type: ignore[arg-type]  # a TypeError is reported
    if not 0 <= number <= 1:
        raise ValueError(f"{number:g} is not in [0, 1]")
    return number


def _number(value: object) -> int:
    """A whole number that a database takes. Raises TypeError or ValueError."""
    if type(value) is not int:
        raise TypeError(f"{value!r} is no whole number")
    if not 0 <= value < 2**31:
        raise ValueError(f"{value} is not from 0 to {2**31 - 1}")
    return value


def _label(value: object) -> str:
    if value not in ("normal", "anomalous"):
        raise ValueError(f"the label {value!r} is neither normal nor anomalous")
    return str(value)


def _point(found: Any) -> tuple[float, float]:
    x, y = map(float, found)
    if not (0 <= x < 2**31 and 0 <= y < 2**31):
        raise ValueError(f"the point {found} lies in no picture")
    return x, y


def _outline(feature: dict[str, Any]) -> tuple[Polygon, ...]:
    found = tuple(
        tuple(tuple(map(_point, ring[:-1])) for ring in polygon) for polygon in feature["geometry"]["coordinates"]
    )
    if not found or not all(found) or any(len(ring) < 3 for polygon in found for ring in polygon):
        raise ValueError("a region has no polygon, a polygon without rings, or a ring of less than 3 points")
    return found


def _review(given: dict[str, Any] | None, features: list[dict[str, Any]], found: list[dict[str, Any]]) -> Review | None:
    if given is None:
        return None
    regions = tuple(
        (number, ReviewLabel(each["properties"]["review"]))
        for number, each in enumerate(found)
        if each["properties"]["review"] is not None
    )
    missed = tuple(polygon for each in features if each["properties"]["missed"] for polygon in _outline(each))
    time_s = float(given["time_s"])
    if not 0 <= time_s < LATEST_S:
        raise ValueError(f"the time {time_s} is no number of seconds since 1970")
    return Review(ReviewLabel(given["label"]), regions, missed, str(given["reviewer"]), time_s)
