"""Trains the demo's backbone, a ResNet-18 up to layer3, on procedural pictures only, in minutes on two cores.

    python -m scripts.demo.backbone backbone.safetensors

It learns to tell textures apart and, cell by cell of layer2 and of layer3, the odd marks on them (`objective.py`). So
its features describe texture, and differ where something does not belong. No photograph, and nothing of the demo's own
surface or defects, is seen.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import torch
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from safetensors.torch import save_file
from torch import nn
from torch.optim.lr_scheduler import OneCycleLR

from app.backbones import ResNet
from scripts.demo.objective import Objective
from scripts.demo.pictures import draw_batch


@dataclass(frozen=True, slots=True)
class Recipe:
    """How long, and on what, to train."""

    steps: int = 600
    per_family: int = 3  # pictures of each family in a batch
    crop: int = 96  # edge of a picture, in pixels
    learning_rate: float = 2e-3
    seed: int = 0


def train_backbone(recipe: Recipe) -> ResNet:
    """The trained network, in evaluation mode."""
    torch.manual_seed(recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    backbone = ResNet("resnet18", layers=("layer2", "layer3"))
    objectives = {layer: Objective(backbone.channels[layer]) for layer in backbone.layers}
    networks = nn.ModuleList([backbone, *objectives.values()])
    optimizer = torch.optim.AdamW(networks.parameters(), weight_decay=0.02)
    schedule = OneCycleLR(optimizer, recipe.learning_rate, total_steps=recipe.steps, pct_start=0.15)
    with _progress() as progress:
        task = progress.add_task("Training the backbone", total=recipe.steps, loss=float("nan"))
        for _ in range(recipe.steps):
            batch = draw_batch(recipe.per_family, recipe.crop, generator)
            features = backbone(batch.images.contiguous(memory_format=torch.channels_last))
            loss = torch.stack([objectives[layer](features[layer], batch) for layer in features]).sum()
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]  # torch has no types here
            optimizer.step()
            schedule.step()
            progress.update(task, advance=1, loss=loss.item())
    backbone.eval()
    return backbone


def save_backbone(backbone: ResNet, path: Path) -> None:
    """Writes the weights in half precision, under timm's names."""
    tensors = {
        name: (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
        for name, tensor in backbone.state_dict().items()
    }
    save_file(tensors, path)


def _progress() -> Progress:
    loss = TextColumn("loss {task.fields[loss]:.3f}")
    return Progress("{task.description}", BarColumn(), loss, TimeElapsedColumn(), "left", TimeRemainingColumn())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m scripts.demo.backbone", description="Trains the demo's backbone.")
    parser.add_argument("output", type=Path, help="the .safetensors file to write")
    parser.add_argument("--steps", type=int, default=Recipe().steps)
    parser.add_argument("--seed", type=int, default=Recipe().seed)
    given = parser.parse_args()
    save_backbone(train_backbone(Recipe(steps=given.steps, seed=given.seed)), given.output)


if __name__ == "__main__":
    main()
