"""Compares the maps of every detector on the device with those on the CPU in float32."""

from app.artifacts import load_artifact
from app.pipeline import Outcome, predict
from app.runtime import Precision
from benchmarks.gpu.models import NAMES
from benchmarks.gpu.setting import Setting, pictures

OFF_GRID = 40
"""The second picture is smaller by this many pixels, so that it is off the grid. Models that resize have none."""
ALLOWED: dict[Precision, float] = {Precision.float32: 1e-4, Precision.float16: 2e-2, Precision.bfloat16: 2e-2}


def run(setting: Setting) -> None:
    """Measures the largest differences of maps and scores, as shares of the map's largest value."""
    height, width = setting.scale.picture
    sizes = [(height, width), (height - OFF_GRID, width - OFF_GRID)]
    for name in NAMES:
        exact = load_artifact(setting.entry(name), "cpu").model
        shown = [pictures(1, size)[0] for size in sizes[: 1 if exact.preprocessing.image_size else 2]]
        expected = [predict(exact, picture) for picture in shown]
        for precision in dict.fromkeys((Precision.float32, setting.half)):
            model = setting.load(name, precision, measured=False).model
            found = [predict(model, picture) for picture in shown]
            differences = _differences(expected, found)
            ran = {"precision": model.network.precision, "kernels": model.network.kernels}
            right = max(differences.values()) <= ALLOWED[precision]
            setting.results.add(f"{name}, {precision}", {**differences, **ran, "as_allowed": right})
            del model


def _differences(expected: list[Outcome], found: list[Outcome]) -> dict[str, float]:
    pairs = list(zip(expected, found, strict=True))
    scales = [float(one.anomaly_map.max()) for one, _ in pairs]
    maps = [float((one.anomaly_map - other.anomaly_map).abs().max()) for one, other in pairs]
    scores = [abs(one.raw_score - other.raw_score) for one, other in pairs]
    return {
        "map": max(each / scale for each, scale in zip(maps, scales, strict=True)),
        "score": max(each / scale for each, scale in zip(scores, scales, strict=True)),
    }
