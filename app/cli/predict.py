"""`tessera predict`."""

from itertools import pairwise
from pathlib import Path
from time import monotonic

from jsonargparse import ArgumentParser, Namespace

from app.api.schemas.prediction import PredictionBody
from app.artifacts import Artifact, ModelRepository, load_artifact
from app.cli.repository import add_precision, add_repository
from app.data import MAX_PIXELS, pictures_in
from app.decoding import decode
from app.errors import InvalidDataset, InvalidRegion, TesseraError
from app.pipeline import Question, Roi, interpret, predict, resolve_device
from app.runtime import RunOptions
from app.service import Predicted, Timings
from app.service.pictures import Extras, HeatmapStyle, heatmap_png
from app.terminal import console, print_error, progress_bars


def parser() -> ArgumentParser:
    parser = ArgumentParser(description="Predict pictures, and write a JSON file, an overlay and a mask for each.")
    parser.add_argument("pictures", type=Path, nargs="+", help="picture files, or folders of them")
    parser.add_argument("--name", type=str, required=True, help="the name of the model")
    parser.add_argument("--version", type=int, default=None, help="the version of the model; by default the newest")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write to")
    parser.add_argument(
        "--roi", type=str, default=None, help="x,y,width,height in pixels: predict only this region of each picture"
    )
    add_repository(parser)
    add_precision(parser)
    return parser


def run(options: Namespace) -> int:
    """Predicts pictures and writes the results; returns 1 if some pictures failed."""
    roi = None if options.roi is None else _region(options.roi)
    device = resolve_device(options.device)
    entry = ModelRepository(options.models_dir).find(options.name, options.version)
    artifact = load_artifact(entry, device, RunOptions(precision=options.precision, batch_tiles=0))
    files = dict(found for path in options.pictures for found in pictures_in(path))
    if len(set(files.values())) < len(files):
        raise InvalidDataset("several of these pictures have the same name below their folder; predict them separately")
    failed = 0
    with progress_bars() as report:
        for number, (path, stem) in enumerate(files.items(), start=1):
            try:
                body = _predict_file(artifact, path, options.output / stem, roi)
                regions = f"{len(body.regions):3} region{' ' if len(body.regions) == 1 else 's'}"
                console.print(f"{body.label:9}  {body.score:.3f}  {regions}  {path}", soft_wrap=True)
                for note in body.notes:
                    console.print(f"           note: {note.message}", soft_wrap=True)
            except (TesseraError, OSError) as error:
                failed += 1
                print_error(f"{path}: {error}")
            report("pictures", number, len(files))
    return 1 if failed else 0


def _region(text: str) -> Roi:
    try:
        x, y, width, height = map(int, text.split(","))
    except ValueError as error:
        raise InvalidRegion(f"roi is {text!r}; give four whole numbers, x,y,width,height in pixels") from error
    return Roi(y, x, height, width)


def _predict_file(artifact: Artifact, path: Path, target: Path, roi: Roi | None) -> PredictionBody:
    """Writes `target`.json, .overlay.png and .mask.png."""
    times = [monotonic()]
    image = decode(path.read_bytes(), max_pixels=MAX_PIXELS)
    times.append(monotonic())
    question = Question(roi=roi)
    outcome = predict(artifact.model, image, roi=roi)
    times.append(monotonic())
    prediction = interpret(outcome, artifact.calibration, question)
    height, width = image.shape[-2:]
    predicted = Predicted(artifact, image, artifact.model.plan(height, width, roi), prediction, question)
    target.parent.mkdir(parents=True, exist_ok=True)
    for style in (HeatmapStyle.overlay, HeatmapStyle.mask):
        target.with_name(f"{target.name}.{style}.png").write_bytes(heatmap_png(predicted, style))
    times.append(monotonic())
    decode_s, device_s, render_s = (later - earlier for earlier, later in pairwise(times))
    timings = Timings(decode_s, 0.0, device_s, render_s, times[-1] - times[0])
    body = PredictionBody.of(predicted, timings, Extras(None, None, None))
    target.with_name(f"{target.name}.json").write_text(body.model_dump_json(indent=2, exclude_none=True) + "\n")
    return body
