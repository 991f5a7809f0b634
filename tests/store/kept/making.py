"""Pictures to keep, and stores for them."""

from dataclasses import replace
from pathlib import Path

from app.reviews import ReviewLabel
from app.store.kept import Bounds, Draft, KeptRegion, PictureFile, PictureStore, Review, Verdict

BOUNDS = Bounds(bytes=2**40, age_s=1e9, reviewed_age_s=0, free_bytes=0)
SQUARE = ((10.0, 20.0), (10.0, 24.0), (16.0, 24.0), (16.0, 20.0))
HOLE = ((12.0, 21.0), (13.0, 21.0), (13.0, 22.0), (12.0, 22.0))
REGION = KeptRegion(20, 10, 4, 6, 23, 0.75, (22, 14), ((SQUARE, HOLE), (((1.0, 1.0), (1.0, 2.0), (2.0, 2.0)),)))
DEFECT = Review(ReviewLabel.defect, ((0, ReviewLabel.defect),), ((SQUARE,),), "inspector", 1_800_000_000.5)
HARMLESS = Review(ReviewLabel.harmless, ((0, ReviewLabel.harmless),), (), "", 1_800_000_001.0)


def draft(number: int, score: float = 0.6, **verdict: object) -> Draft:
    """A picture of 104 bytes, whose file differs from those of other numbers."""
    label = "anomalous" if score > 0.5 else "normal"
    given = Verdict("surface", 3, "d" * 64, score, 0.5, label, (REGION,), 1, f"request-{number}")
    content = f"picture {number} ".encode().ljust(100, b".")
    files = {PictureFile.picture: content, PictureFile.heatmap: b"heat"}
    return Draft(f"p{number}.png", "PNG", (96, 160), replace(given, **verdict), "all", files)  # type: ignore[arg-type]


def opened(folder: Path, database: str = "", **bounds: float) -> PictureStore:
    return PictureStore(folder, database, replace(BOUNDS, **bounds))  # type: ignore[arg-type]


def added(store: PictureStore, number: int, score: float = 0.6, **verdict: object) -> str:
    """Adds a picture; returns its id."""
    _, id = store.add(draft(number, score, **verdict))
    return id
