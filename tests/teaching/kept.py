"""Stores of kept pictures: surfaces with and without stains, and what people said about them."""

import io
from pathlib import Path

from PIL import Image

from app.reviews import ReviewLabel
from app.store.kept import Draft, KeptRegion, PictureFile, PictureStore, Review, Verdict
from tests.conftest import draw_surface
from tests.store.kept.making import opened

BLUE, RED = (110, 110, 140), (255, 0, 0)
STAIN = ((100.0, 40.0), (124.0, 40.0), (124.0, 56.0), (100.0, 56.0))
"""Where stains are."""
REGION = KeptRegion(40, 100, 16, 24, 384, 0.9, (48, 112), ((STAIN,),))


def png(seed: int, stain: tuple[int, int, int] | None = None) -> bytes:
    """A surface as a PNG file, with or without a stain of a colour."""
    picture, file = draw_surface(seed), io.BytesIO()
    if stain is not None:
        picture[40:56, 100:124] = stain
    Image.fromarray(picture).save(file, "PNG")
    return file.getvalue()


def add(
    store: PictureStore,
    model: str,
    seed: int,
    stain: tuple[int, int, int] | None = None,
    label: ReviewLabel | None = None,
    reviewer: str = "",
) -> str:
    """Keeps a picture, with a review; returns its id. Defects are reviewed by their region, the rest as a whole."""
    regions = () if stain is None else (REGION,)
    verdict = Verdict(model, 1, "d" * 64, 0.9 if stain else 0.4, 0.5, "anomalous", regions, len(regions), f"r{seed}")
    files = {PictureFile.picture: png(seed, stain), PictureFile.heatmap: b"heat"}
    judged = ((0, label),) if label is ReviewLabel.defect else ()
    review = None if label is None else Review(label, judged, (), reviewer, 1_800_000_000.0)
    _, id = store.add(Draft(f"p{seed}.png", "PNG", (96, 160), verdict, "all", files), review=review)
    return id


def filled(folder: Path, model: str, *, poison: int = 0, reviewer: str = "") -> PictureStore:
    """A store in which blue stains are false alarms, and red ones defects.

    poison: so many red stains were called harmless, too
    """
    store = opened(folder)
    for seed in range(300, 304):
        add(store, model, seed, BLUE, ReviewLabel.harmless, reviewer)
    for seed in range(310, 313):
        add(store, model, seed, RED, ReviewLabel.defect, reviewer)
    for seed in range(320, 323):
        add(store, model, seed)
    for seed in range(330, 330 + poison):
        add(store, model, seed, RED, ReviewLabel.harmless, reviewer)
    return store
