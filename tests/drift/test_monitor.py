"""Pictures of a rough surface with fixed marks, as a camera takes them, and what is done to the camera."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from app.drift import (
    MEAN_PICTURES,
    Appearance,
    CameraChanged,
    Change,
    Monitor,
    State,
    appearance,
    baseline_of,
    map_levels,
)
from app.drift.monitor import MOST_POINTS, QUIET_PICTURES, causes

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


@pytest.mark.parametrize(
    "edit", [blurred, moved, dirty, lambda each: each * 1.12], ids=["blur", "moved", "dirt", "light"]
)
def test_an_alarm_says_when_the_change_began(edit: Edit) -> None:
    began = []
    for seed in range(5):
        camera = Camera(seed)
        camera.take(100)
        camera.take(60, edit)
        began.append(camera.events[0].since)
    assert sorted(began)[2] == pytest.approx(101, abs=2)
    assert all(abs(each - 101) <= 25 for each in began)


def test_evidence_over_the_threshold_says_how_soon_it_counts_as_an_alarm() -> None:
    camera, seen = Camera(), []
    for _ in range(60):
        camera.take(1, blurred)
        health = camera.monitor.health()
        seen.append((health.evidence >= MEAN_PICTURES, health.naming, health.alarms))
        if health.alarms:
            break
    assert [naming for over, naming, _ in seen if over] == [6, 5, 4, 3, 2, 1]
    assert {alarms for over, _, alarms in seen if over} == {0}
    assert seen[-1] == (False, 0, 1)


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
