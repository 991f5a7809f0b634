"""`tessera predict`."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from time import monotonic

from jsonargparse import ArgumentParser, Namespace
from torch import Tensor

from app.api.schemas.prediction import PredictionBody
from app.artifacts import Artifact, load_artifact
from app.cli.annotations import write_annotations
from app.cli.large import decoded_whole, predicted_large
from app.cli.repository import add_precision, add_repository, read_repository
from app.cli.results import RESULTS, Result, Targets, require_output, summary, summed_notes, targets, write_results
from app.data import mark_result, pictures_in, reason
from app.errors import InvalidDataset, InvalidParameter, InvalidRegion, TesseraError
from app.files import replacing, sweep
from app.pipeline import (
    Criteria,
    Outcome,
    Question,
    RegionEvidence,
    Roi,
    interpret,
    predict,
    resolve_device,
    with_zones,
)
from app.pipeline.prediction import THRESHOLD
from app.progress import Progress
from app.runtime import RunOptions
from app.service import Judged, Predicted, Timings
from app.service.annotations import AnnotationFormat
from app.service.pictures import Extras, HeatmapStyle, heatmap_png
from app.terminal import print_error, print_line, progress_bars


def parser() -> ArgumentParser:
    parser = ArgumentParser(
        description=f"Predict pictures, and write {RESULTS}, and a JSON file, an overlay and a mask for each."
    )
    parser.add_argument("pictures", type=Path, nargs="+", help="picture files, or folders of them")
    parser.add_argument("--name", type=str, required=True, help="the name of the model")
    parser.add_argument("--version", type=int, default=None, help="the version; by default the one that serves")
    parser.add_argument("--output", type=Path, required=True, help="the folder to write to")
    parser.add_argument(
        "--format",
        type=str,
        default=None,
        help="also write the regions as polygons for annotation tools: geojson (QuPath, QGIS), coco or labelme, or "
        "several of them, separated by commas",
    )
    add_question(parser)
    parser.add_argument(
        "--evidence",
        type=bool,
        nargs="?",
        const=True,
        default=False,
        help="also write why regions are unusual into the JSON: how far their peaks exceed normal pictures, and the "
        "nearest patches of the training's pictures, for the first regions of a picture; pictures that are read in "
        "bands have none",
    )
    add_repository(parser)
    add_precision(parser)
    return parser


def add_question(parser: ArgumentParser) -> None:
    """Adds the options of what is asked about each picture."""
    parser.add_argument(
        "--roi", type=str, default=None, help="x,y,width,height in pixels: predict only this region of each picture"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=THRESHOLD,
        help="scores above it are anomalous, from 0 to 1; 0.5 is the calibrated threshold of the model",
    )
    parser.add_argument(
        "--min_region_area",
        type=int,
        default=1,
        help="the smallest area of a region, in pixels; does not change labels",
    )


def question_of(options: Namespace) -> Question:
    """What is asked about each picture. Raises InvalidParameter or InvalidRegion."""
    return Question(_criteria(options), None if options.roi is None else _region(options.roi))


def run(options: Namespace) -> int:
    """Predicts pictures and writes the results; returns 1 if some pictures failed."""
    question, formats = replace(question_of(options), evidence=options.evidence), _formats(options.format)
    device = resolve_device(options.device)
    entry = read_repository(options).find(options.name, options.version)
    artifact = load_artifact(entry, device, RunOptions(precision=options.precision, batch_tiles=0))
    files, left_out = pictures_in(options.pictures)
    if len(set(files.values())) < len(files):
        raise InvalidDataset("several of these pictures have the same name below their folder; predict them separately")
    written = {path: targets(options.output / name, formats) for path, name in files.items()}
    require_output(options.output, options.pictures, written.values())
    if left_out.note:
        print_line(f"note: {left_out.note}")
    for folder in {each.body.parent for each in written.values()} | {options.output}:
        sweep(folder)
    results: list[Result] = []
    with progress_bars() as report:
        for number, (path, own) in enumerate(written.items(), start=1):
            results.append(_result(artifact, path, own, question, report))
            report("pictures", number, len(files))
    listed = write_results(options.output, results)
    for line in (*summary(results), *summed_notes(results), f"wrote {listed}"):
        print_line(line)
    return 1 if any(result.body is None for result in results) else 0


def _criteria(options: Namespace) -> Criteria:
    if not 0 <= options.threshold <= 1:
        raise InvalidParameter(
            f"threshold is {options.threshold:g}; use 0 to 1, as in the scores; 0.5 is the calibrated threshold"
        )
    if options.min_region_area < 1:
        raise InvalidParameter(f"min_region_area is {options.min_region_area}; use 1 or more pixels")
    return Criteria(options.threshold, options.min_region_area)


def _formats(text: str | None) -> list[AnnotationFormat]:
    try:
        return list(dict.fromkeys(AnnotationFormat(each.strip()) for each in text.split(","))) if text else []
    except ValueError as error:
        known = ", ".join(AnnotationFormat)
        raise InvalidParameter(f"format is {text!r}; give one or several of {known}, separated by commas") from error


def _result(artifact: Artifact, path: Path, written: Targets, question: Question, report: Progress) -> Result:
    """Predicts a picture, and prints its result or error. Raises OSError if its files cannot be written."""
    started = monotonic()
    try:
        image = decoded_whole(path)
        if image is None:
            body = write_body(*predicted_large(artifact, path, written, question, report), written)
        else:
            decoded = monotonic()
            outcome = predict(artifact.model, image, roi=question.roi)
    except (TesseraError, OSError) as error:
        return _failed(path, error)
    if image is not None:
        times = started, decoded, monotonic()
        predicted = interpreted(artifact, image, outcome, question)
        try:
            evidence = _evidence(predicted)
            write_annotations(predicted.judged, [outcome.anomaly_map.numpy()], path, written.annotations)
        except TesseraError as error:
            return _failed(path, error)
        body = write_files(predicted, written, times, evidence=evidence)
    regions = f"{len(body.regions):3} region{' ' if len(body.regions) == 1 else 's'}"
    print_line(f"{body.label:9}  {body.score:.3f}  {regions}  {path}")
    return Result(path, body)


def _evidence(predicted: Predicted) -> tuple[RegionEvidence, ...]:
    """Evidence for the first regions, if it was asked for."""
    if not predicted.question.evidence:
        return ()
    finder = predicted.artifact.evidence_for(predicted.size)
    return finder.compute(predicted.image, predicted.prediction, predicted.question.roi)


def _failed(path: Path, error: Exception) -> Result:
    print_error(f"{path}: {reason(error)}")
    return Result(path, None, reason(error))


def _region(text: str) -> Roi:
    try:
        x, y, width, height = map(int, text.split(","))
    except ValueError as error:
        raise InvalidRegion(f"roi is {text!r}; give four whole numbers, x,y,width,height in pixels") from error
    return Roi(y, x, height, width)


def interpreted(artifact: Artifact, image: Tensor, outcome: Outcome, question: Question) -> Predicted:
    """The prediction for a picture [C,H,W]."""
    height, width = image.shape[-2:]
    prediction = interpret(outcome, artifact.calibration, question)
    prediction = with_zones(prediction, artifact.model.zones, (height, width))
    return Predicted(artifact, image, artifact.model.plan(height, width, question.roi), prediction, question)


def write_files(
    predicted: Predicted,
    written: Targets,
    times: tuple[float, float, float],
    *,
    pictures: bool = True,
    evidence: Sequence[RegionEvidence] = (),
) -> PredictionBody:
    """Writes the files of a picture, each complete or not at all. `times`: of its start, decoded, and predicted.

    `evidence`: for the first regions. `pictures`: whether to write the overlay and the mask. The JSON is written last.
    """
    styles = ((written.overlay, HeatmapStyle.overlay), (written.mask, HeatmapStyle.mask)) if pictures else ()
    for file, style in styles:
        _write(file, mark_result(heatmap_png(predicted, style)))
    ends = (*times, monotonic())
    decode_s, device_s, render_s = (later - earlier for earlier, later in pairwise(ends))
    timings = Timings(decode_s, 0.0, device_s, render_s, ends[-1] - ends[0])
    return write_body(predicted.judged, timings, written, evidence)


def write_body(
    judged: Judged, timings: Timings, written: Targets, evidence: Sequence[RegionEvidence] = ()
) -> PredictionBody:
    """Writes the prediction as JSON, complete or not at all."""
    body = PredictionBody.of(judged, timings, Extras(None, None, None), evidence)
    _write(written.body, (body.model_dump_json(indent=2, exclude_none=True) + "\n").encode())
    return body


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)
