"""A trained backbone as files: weights in half precision under timm's names, and a card that describes its training."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from app.backbones import ResNet
from app.files import replacing
from app.tensor_files import write_tensors
from app.training.distillation.recipe import DistillationRecipe
from app.training.distillation.teacher import LAYERS


@dataclass(frozen=True, slots=True)
class DistillationSummary:
    """How a backbone was trained: the contents of its card."""

    architecture: str
    teacher: str  # its name
    recipe: DistillationRecipe
    pictures: int  # number of picture files that were used
    share: float  # the part of each step that is windows of these files
    seconds: float  # since the training was started or last resumed
    device: str
    curve: Sequence[Mapping[str, float]]  # see `Outcome`


def write_backbone(backbone: ResNet, path: Path, summary: DistillationSummary) -> Path:
    """Writes the weights to `path` and the card beside them; replaces each file atomically. Returns the card's path."""
    write_weights(backbone, path, summary.teacher)
    card_path = path.with_suffix(".md")
    with replacing(card_path) as temporary:
        temporary.write_text(card(summary))
    return card_path


def write_weights(backbone: ResNet, path: Path, teacher: str) -> None:
    """Writes the weights to `path`; replaces the file atomically."""
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in backbone.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    with replacing(path) as temporary:
        write_tensors(tensors, temporary, {"architecture": backbone.architecture, "teacher": teacher})


def card(summary: DistillationSummary) -> str:
    """The card, in Markdown."""
    rows = "\n".join(
        f"| {int(point['step']):,} | " + " | ".join(f"{point[layer]:.3f}" for layer in LAYERS) + " |"
        for point in summary.curve
    )
    recipe = "\n".join(f"| {name} | {value} |" for name, value in asdict(summary.recipe).items())
    own = f"{summary.share:.0%} of each step from {summary.pictures:,} picture files" if summary.pictures else "none"
    return f"""# {summary.architecture}, distilled

A {summary.architecture} up to layer3 that learnt the features of `{summary.teacher}` at strides of 4, 8 and 16 pixels,
by `tessera backbone train`, on pictures that are made by formulas while it trains (`app/synthesis`).
Pictures of somebody's own: {own}.
It took {summary.seconds / 3600:.1f} hours on {summary.device}.

| recipe | |
|---|---|
{recipe}

How much of the variance of the teacher's features it explains, on made pictures that it did not learn from (1 is all):

| step | {" | ".join(LAYERS)} |
|---|{"---|" * len(LAYERS)}
{rows}
"""
