"""Thresholds and normalised values of the protocol `reference` are those of anomalib's post-processor."""

import pytest
import torch
from anomalib.data import ImageBatch
from anomalib.post_processing import PostProcessor
from torch import Tensor

from app.scoring import calibrate_as_reference, rank, steps_of, totals_of

PICTURES = 24


def reference_post_processor(scores: Tensor, labels: Tensor, maps: Tensor, masks: Tensor | None) -> PostProcessor:
    """anomalib's post-processor after a validation in batches of eight."""
    processor = PostProcessor()
    for batch in torch.arange(PICTURES).view(-1, 8):
        seen = ImageBatch(
            image=torch.zeros(len(batch), 3, *maps.shape[-2:]),
            gt_label=labels[batch],
            pred_score=scores[batch],
            anomaly_map=maps[batch],
            gt_mask=None if masks is None else masks[batch],
        )
        processor.on_validation_batch_end(None, None, seen)
    processor.on_validation_epoch_end(None, None)
    return processor


@pytest.mark.filterwarnings("ignore::UserWarning")  # torchmetrics on a missing label
@pytest.mark.parametrize("masked", [True, False])
@pytest.mark.parametrize("anomalous", ["some", "none", "all"])
@pytest.mark.parametrize("seed", range(4))
def test_thresholds_and_normalised_values_equal_anomalibs(seed: int, anomalous: str, masked: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(PICTURES) % 3 < {"none": 0, "some": 1, "all": 3}[anomalous]
    maps = (torch.randn(PICTURES, 12, 16, generator=generator) * 4).round() / 4 + 20  # with ties
    masks = labels[:, None, None] & (torch.rand(PICTURES, 12, 16, generator=generator) < 0.2)
    maps[masks] += 2
    scores = maps.amax((1, 2)) + torch.randn(PICTURES, generator=generator)
    theirs = reference_post_processor(scores, labels, maps, masks if masked else None)

    pixel = None
    if masked:
        totals = totals_of(masks)
        pixel = rank([steps_of(maps, masks)], totals).best_f1.threshold if totals.anomalous else float(maps.max())
    extent = float(maps.min()), float(maps.max())
    ours = calibrate_as_reference(scores.tolist(), labels.tolist(), pixel, extent)
    assert ours.image_threshold == float(theirs.image_threshold)
    assert ours.pixel_threshold == float(theirs.pixel_threshold)
    assert (ours.image_min, ours.image_max) == (float(theirs.image_min), float(theirs.image_max))
    assert (ours.pixel_min, ours.pixel_max) == (float(theirs.pixel_min), float(theirs.pixel_max))

    batch = ImageBatch(image=torch.zeros(PICTURES, 3, 12, 16), pred_score=scores.clone(), anomaly_map=maps.clone())
    theirs.normalize_batch(batch)
    torch.testing.assert_close(torch.tensor([ours.normalise_score(raw) for raw in scores.tolist()]), batch.pred_score)
    torch.testing.assert_close(ours.normalise_map(maps), batch.anomaly_map)
