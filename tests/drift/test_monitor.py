"""Pictures of a rough surface with fixed marks, as a camera takes them, and what is done to the camera."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from app.drift import (
    MEAN_PICTURES,
    WHOLE,
    Appearance,
    CameraChanged,
    Change,
    Monitor,
    State,
    appearance,
    baseline_of,
    map_levels,
)
from app.drift.causes import causes
from app.drift.history import MOST_POINTS
from app.drift.monitor import NAMING_PICTURES, QUIET_PICTURES

GRID = (2, 3)
SIZE = (128, 192)
Edit = Callable[[Tensor], Tensor]


def picture(random: np.random.Generator) -> Tensor:
    """[1,h,w] float32: a surface of its own brightness and roughness."""
    height, width = SIZE
    rough = torch.from_numpy(random.normal(size=(1, 1, height + 8, width + 8)).astype(np.float32))
    fine = F.avg_pool2d(rough, 3, 1)[0, :, 3:-3, 3:-3]
    light = random.normal(120, 4)
    return light + 60 * random.normal(1, 0.05) * fine[:, :height, :width]


def same(picture: Tensor) -> Tensor:
    return picture


def blurred(picture: Tensor) -> Tensor:
    return F.avg_pool2d(picture[None], 5, 1, 2, count_include_pad=False)[0]


def moved(picture: Tensor) -> Tensor:
    return torch.roll(picture, 6, 2)


def dirty(picture: Tensor) -> Tensor:
    edited = picture.clone()
    edited[:, 80:112, 80:112] *= 0.6
    return edited


def statistics(picture: Tensor) -> Appearance:
    pixels = picture.round().clamp(0, 255).to(torch.uint8)
    found = (picture[0] - picture.mean()).abs()
    return appearance(pixels, GRID) | map_levels(found, float(found.max()), GRID)


class Camera:
    """A monitor of 40 pictures of training, and the events that it reports."""

    def __init__(self, seed: int = 0) -> None:
        self.random = np.random.default_rng(seed)
        found = baseline_of(GRID, [statistics(picture(self.random)) for _ in range(40)])
        assert found is not None
        self.events: list[CameraChanged] = []
        self.monitor = Monitor("surface", 3, found, self.events.append, seed)

    def take(self, count: int, edit: Edit = same) -> None:
        for _ in range(count):
            self.monitor.add(statistics(edit(picture(self.random))))


@pytest.mark.parametrize(
    ("edit", "change"),
    [
        (lambda each: each * 1.12, Change.light),
        (lambda each: each / 1.12, Change.light),
        (blurred, Change.out_of_focus),
        (moved, Change.camera_moved),
        (dirty, Change.dirt),
    ],
    ids=["brighter", "darker", "blur", "moved", "dirt"],
)
def test_a_change_is_reported_once_and_named(edit: Edit, change: Change) -> None:
    camera = Camera()
    camera.take(30)
    assert camera.monitor.health().state is State.same
    camera.take(60, edit)
    assert camera.monitor.health().state is State.changed
    (event,) = camera.events
    assert (event.model, event.version, event.changes[0], event.sudden) == ("surface", 3, change, True)
    assert event.positions == (((1, 1),) if change is Change.dirt else ())


@pytest.mark.parametrize("shift", [1.0, 2.0])
def test_an_alarm_says_at_which_picture_the_change_began(shift: float) -> None:
    began = []
    for seed in range(40):
        random = np.random.default_rng(seed)
        training = [dict(zip(WHOLE, random.normal(size=len(WHOLE)), strict=True)) for _ in range(100)]
        found = baseline_of((1, 1), training)
        assert found is not None
        monitor, event = Monitor("surface", 3, found, lambda _: None, seed), None
        for number in range(1, 600):
            values = random.normal(size=len(WHOLE)) + (number >= 300) * shift * np.eye(len(WHOLE))[0]
            event = monitor.add(dict(zip(WHOLE, values, strict=True)))
            if event is not None:
                began.append(event.since)
                break
    assert len(began) == 40
    assert abs(float(np.median(began)) - 300) <= 1
    assert float(np.quantile(np.abs(np.array(began) - 300), 0.8)) <= 5


def test_evidence_over_the_threshold_is_explained_until_its_cause_is_named() -> None:
    camera = Camera()
    camera.take(30)
    explained = 0
    while not camera.events:
        camera.take(1, lambda each: each * 1.12)
        health = camera.monitor.health()
        if not health.alarms and health.evidence >= MEAN_PICTURES:
            assert health.naming == NAMING_PICTURES - explained
            explained += 1
    assert explained and camera.monitor.health().naming == 0


def test_the_cause_of_a_small_change_whose_evidence_falls_is_still_named() -> None:
    found = baseline_of((1, 1), [dict.fromkeys(WHOLE, float(number)) for number in range(40)])
    assert found is not None
    monitor = Monitor("surface", 3, found, lambda _: None, 0)
    usual = iter(np.random.default_rng(0).integers(0, 40, 1000).tolist())
    while not monitor.health().naming:
        values = {name: float(next(usual)) for name in WHOLE} | {"brightness": 50.0}
        assert monitor.add(values) is None
    darker = (1.0, 3.0, 5.0, 1.0, 3.0, 5.0)  # so that the evidence of brighter ones vanishes
    events = [monitor.add({name: float(next(usual)) for name in WHOLE} | {"brightness": value}) for value in darker]
    assert monitor.health().evidence < MEAN_PICTURES
    assert events[:-1] == [None] * 5 and events[-1] is not None
    assert events[-1].changes == (Change.light,)


def test_light_is_brighter_or_darker() -> None:
    for factor, brighter in ((1.12, True), (1 / 1.12, False)):
        camera = Camera()
        camera.take(60, lambda each, factor=factor: each * factor)  # type: ignore[misc]  # one lambda per factor
        assert camera.events[0].brighter is brighter


def test_a_lamp_that_ages_slowly_is_not_sudden() -> None:
    camera = Camera()
    for number in range(700):
        camera.take(1, lambda each, number=number: each * (1 - 0.0002 * number))  # type: ignore[misc]
        if camera.events:
            break
    (event,) = camera.events
    assert (event.changes, event.brighter, event.sudden) == ((Change.light,), False, False)


def test_defects_in_some_pictures_are_no_change() -> None:
    camera = Camera()
    for number in range(300):
        camera.take(1, dirty if number % 25 == 0 else same)
    assert camera.monitor.health().evidence < MEAN_PICTURES
    assert not camera.events


def test_a_camera_that_is_as_before_counts_as_the_same_again() -> None:
    camera = Camera()
    camera.take(30, blurred)
    assert camera.monitor.health().state is State.changed
    camera.take(QUIET_PICTURES + 20)
    health = camera.monitor.health()
    assert (health.state, health.alarms, health.last) == (State.same, 1, camera.events[0])


def test_memory_stays_bounded() -> None:
    camera = Camera()
    found = statistics(picture(camera.random))
    for _ in range(3 * MOST_POINTS):
        camera.monitor.add(found)
    points = camera.monitor.health().points
    assert len(points) <= MOST_POINTS
    assert (points[-1].picture, sum(point.count for point in points)) == (3 * MOST_POINTS, 3 * MOST_POINTS)


@pytest.mark.parametrize(
    ("strong", "expected"),
    [
        ({"sharpness", "border-left-low", "score"}, (Change.out_of_focus,)),
        ({"highlights", "score"}, (Change.light,)),
        ({"centre-row", "level@0,0"}, (Change.dirt,)),
        ({"centre-row", "level@0,0", "level@1,0"}, (Change.camera_moved,)),
        ({"score"}, (Change.surface,)),
        ({f"level@{row},{column}" for row in range(4) for column in range(4)}, (Change.surface,)),
    ],
)
def test_causes_follow_from_the_statistics_that_have_changed(strong: set[str], expected: tuple[Change, ...]) -> None:
    assert causes(strong, (2, 4) if "centre-row" in strong else (4, 4))[0] == expected


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 300), (1, 5, 9), (3, 64, 64)])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.uint16])
def test_statistics_of_any_picture_are_finite(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    found = appearance(torch.full(shape, 7).to(dtype), (3, 2)) | map_levels(torch.zeros(shape[1:]), 0.0, (3, 2))
    assert np.isfinite(list(found.values())).all()


def test_statistics_do_not_depend_on_the_depth_of_grey_values() -> None:
    eight = torch.randint(0, 256, (3, 40, 50), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    sixteen = (eight.int() * 257).to(torch.uint16)
    first, second = appearance(eight, (2, 2)), appearance(sixteen, (2, 2))
    assert list(first.values()) == pytest.approx(list(second.values()), abs=1e-4)
