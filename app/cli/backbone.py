"""`tessera backbone train`."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from time import monotonic
from typing import Literal

from jsonargparse import ArgumentParser, Namespace

from app.backbones import ARCHITECTURES, LITE_ARCHITECTURES, ResNet
from app.data import pictures_in
from app.errors import InvalidTraining
from app.pipeline import resolve_device
from app.terminal import print_line, progress_bars
from app.training.checkpoint import Checkpoint
from app.training.distillation import (
    DistillationRecipe,
    DistillationSummary,
    Teacher,
    distil,
    write_backbone,
    write_weights,
)


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description="Distil the features of a backbone, at strides of 4, 8 and 16 pixels, into a ResNet. The student "
        "learns from generated pictures and, with --folders, from crops of your own pictures. The same command resumes "
        "an interrupted training."
    )
    parser.add_argument("action", type=Literal["train"], help="the action: train")
    parser.add_argument("--config", action="config", help="a YAML file with these options")
    parser.add_argument(
        "--teacher",
        type=str,
        required=True,
        help="the teacher's weights: a file, or a name that backbone_weights takes",
    )
    parser.add_argument(
        "--teacher_architecture",
        type=str,
        default="resnet18",
        help=f"the teacher's architecture: {', '.join((*ARCHITECTURES, *LITE_ARCHITECTURES))}, or timm/NAME",
    )
    parser.add_argument("--architecture", type=str, default="resnet18", help="the architecture of the student")
    parser.add_argument(
        "--output", type=Path, required=True, help="the .safetensors file to write; a card is written beside it"
    )
    parser.add_argument(
        "--keep_snapshots", type=bool, default=False, help="also write the weights at every evaluation, as NAME-STEP"
    )
    parser.add_argument("--folders", type=list[Path], default=[], help="folders of your own pictures")
    parser.add_argument(
        "--share", type=float, default=0.5, help="the share of each step that comes from --folders, 0 to 1"
    )
    parser.add_argument("--device", type=str, default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_class_arguments(DistillationRecipe)
    return parser


def run(given: Namespace) -> int:
    """Trains and writes a backbone."""
    if given.output.suffix != ".safetensors":
        raise InvalidTraining(f"output is {given.output}; name a file that ends with .safetensors")
    if not 0 <= given.share <= 1:
        raise InvalidTraining(f"share is {given.share}; use 0 to 1")
    recipe = DistillationRecipe(**{each.name: given[each.name] for each in fields(DistillationRecipe)})
    found, left_out = pictures_in(given.folders)
    pictures = list(found)
    if left_out.note:
        print_line(f"note: {left_out.note}")
    device = resolve_device(given.device)
    teacher = Teacher(given.teacher_architecture, given.teacher, device, recipe.picture_size)
    checkpoint = Checkpoint(given.output.with_suffix(".training.pt"), _fingerprint(given, recipe, pictures))
    share = given.share if pictures else 0.0
    started = monotonic()
    with progress_bars() as report:
        outcome = distil(
            teacher, given.architecture, recipe, device, checkpoint, report, pictures, share, _keeper(given, teacher)
        )
    seconds = monotonic() - started
    summary = DistillationSummary(
        given.architecture, teacher.name, recipe, len(pictures), share, seconds, str(device), outcome.curve
    )
    card = write_backbone(outcome.backbone, given.output, summary)
    checkpoint.remove()
    print_line(f"wrote {given.output} and its card {card}")
    return 0


def _keeper(given: Namespace, teacher: Teacher) -> Callable[[ResNet, int], None] | None:
    """Writes a snapshot of the student at a step; None: snapshots are not kept."""
    if not given.keep_snapshots:
        return None

    def keep(backbone: ResNet, step: int) -> None:
        write_weights(backbone, given.output.with_stem(f"{given.output.stem}-{step}"), teacher.name)

    return keep


def _fingerprint(given: Namespace, recipe: DistillationRecipe, pictures: Sequence[Path]) -> str:
    """A digest of everything that determines the result."""
    content = {
        "recipe": asdict(recipe),
        "networks": [given.teacher_architecture, given.teacher, given.architecture],
        "pictures": [given.share, *([str(path), path.stat().st_size] for path in pictures)],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
