"""A search spends its time on what may grant the wish, and keeps what it has measured."""

from collections.abc import Callable
from dataclasses import replace
from math import inf
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from PIL import Image

from app.artifacts import FalseAlarmRecord, GradeRecord, TriedRecord
from app.data import Folder
from app.detectors import Patchcore
from app.errors import InvalidDataset, InvalidParameter, InvalidTraining, TesseraError
from app.model_search import (
    Configuration,
    Found,
    Machine,
    Result,
    Search,
    Space,
    Trials,
    Wish,
    choice,
    configurations,
    draw_front,
    front,
    latest,
    read_search,
    read_wish,
    search_pictures,
    survivors,
    write_search,
)
from app.progress import Progress, silent
from app.training import Automatic
from tests.conftest import draw_surface

WISH = Wish("scratch", 8.0, 0.2, 4.0)
EVERY = configurations(Space())
ALARMS = FalseAlarmRecord(pictures=4, exceeded=0, low=0.0, high=0.6)


def result(name: str, size: float, rate: float, round: int = 0, seconds: float = 10.0) -> Result:
    """A result whose interval reaches from half to twice the size."""
    tried = TriedRecord(size=32, tried=15, found=0 if size == inf else 15)
    known = {} if size == inf else {"smallest": size, "low": size / 2, "high": size * 2}
    grade = GradeRecord(kind="scratch", contrast=0.2, tried=(tried,), **known)
    return Result(name, round, 8 << round, grade, ALARMS, rate, seconds)


class Simulated:
    """Trials with sizes and rates by a function of the number of the configuration. `seconds` passes with each."""

    def __init__(self, found: Callable[[int], tuple[float, float]], seconds: float = 10.0) -> None:
        self._found, self._seconds = found, seconds
        self.now = 0.0
        self.tried: list[tuple[str, int, float | None]] = []

    def __call__(self, configuration: Configuration, round: int, rate: float | None, progress: Progress) -> Result:
        self.tried.append((configuration.name, round, rate))
        self.now += self._seconds * 2**round
        size, own = self._found(EVERY.index(configuration))
        return result(configuration.name, size, own if rate is None else rate, round, self._seconds * 2**round)

    def search(
        self, budget_s: float, wish: Wish = WISH, changed: Callable[[Found, str], None] = lambda *_: None
    ) -> Search:
        return Search(EVERY, wish, budget_s, self, changed, lambda: self.now)


def test_every_configuration_is_another_one_and_the_first_differ_in_detector_and_tiling() -> None:
    assert len({each.name for each in EVERY}) == len(EVERY) == 5 * 2 * 3 * 2 * 2 * 2
    first = EVERY[:10]
    assert len({each.candidate.name for each in first}) == len({(each.tiling, each.scale) for each in first}) == 10
    assert [each.scale for each in first] == [1.0, 0.5] * 5
    assert EVERY[0].name == "Subspace resnet18, tiles 256, stride 256"


def test_rounds_share_the_budget_and_the_better_half_goes_on_the_best_first() -> None:
    trials, found = Simulated(lambda number: (4.0 + number, 5.0)), Found()
    trials.search(600.0).run(found, silent)
    assert [len(found.of_round(round)) for round in range(3)] == [28, 9, 3]
    assert trials.now <= 600.0
    assert [each.size for each in found.last] == [4.0, 5.0, 6.0]
    rates = {round: {rate for _, own, rate in trials.tried if own == round} for round in range(3)}
    assert rates == {0: {None}, 1: {5.0}, 2: {5.0}}  # speed is measured once
    chosen = choice(found.last, WISH)
    assert chosen is not None and chosen.name == EVERY[0].name


def test_a_longer_budget_tries_more_configurations() -> None:
    trials, found = Simulated(lambda number: (40.0 - number, 5.0)), Found()
    trials.search(300.0).run(found, silent)
    first = list(found.results)
    trials.search(560.0).run(found, silent)
    assert found.results[: len(first)] == first
    assert len(found.of_round(0)) > sum(each.round == 0 for each in first)
    assert 500.0 < trials.now <= 560.0
    assert min(each.size for each in found.last) == min(each.size for each in found.results)


def test_a_stopped_search_goes_on_where_it_was(tmp_path: Path) -> None:
    path = tmp_path / "search.json"
    trials, found = Simulated(lambda number: (4.0 + number, 5.0)), Found()

    def stop(so_far: Found, _: str) -> None:
        write_search(path, WISH, "key", so_far, {})
        if len(so_far.results) == 13:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trials.search(600.0, changed=stop).run(found, silent)
    again = read_search(path, "key")
    assert again is not None and again.results == found.results
    trials.search(600.0).run(again, silent)
    assert len(trials.tried) == len(set(trials.tried)) == 40  # none was made twice
    assert trials.now <= 600.0
    assert read_search(path, "other pictures") is None
    path.write_text("{")
    assert read_search(path, "key") is None


def test_configurations_that_cannot_be_trained_are_left_out_with_the_reason() -> None:
    trials, found = Simulated(lambda number: (4.0 + number, 5.0)), Found()

    def some(configuration: Configuration, round: int, rate: float | None, progress: Progress) -> Result:
        if "PaDiM" in configuration.name:
            raise InvalidTraining("pictures have different sizes")
        return trials(configuration, round, rate, progress)

    replace(trials.search(600.0), trial=some).run(found, silent)
    assert set(found.left_out.values()) == {"pictures have different sizes"}
    assert not any("PaDiM" in each.name for each in found.results)

    def none(configuration: Configuration, round: int, rate: float | None, progress: Progress) -> Result:
        raise InvalidTraining("no memory")

    with pytest.raises(TesseraError, match="no memory"):
        replace(trials.search(600.0), trial=none).run(Found(), silent)


@pytest.mark.parametrize(
    ("wish", "budget_s", "seconds", "message"),
    [
        (WISH, 5.0, 1.0, "a search needs 30 s or more"),
        (WISH, 40.0, 60.0, "the first trial took 60 s, so that nothing can be compared; give 20m or more"),
        (replace(WISH, rate=50.0), 600.0, 10.0, "rate is 50 pictures a second, and the fastest of 2[78] .* takes 5 on"),
    ],
)
def test_impossible_wishes_and_short_budgets_end_the_search(
    wish: Wish, budget_s: float, seconds: float, message: str
) -> None:
    trials = Simulated(lambda _: (4.0, 5.0), seconds)
    with pytest.raises(InvalidParameter, match=message):
        trials.search(budget_s, wish).run(Found(), silent)
    assert all(round == 0 for _, round, _ in trials.tried)


def test_the_fast_ones_with_the_smallest_sizes_survive_and_then_the_fastest_others() -> None:
    results = [result("a", 4, 1), result("b", 12, 9), result("c", 6, 5), result("d", 3, 3), result("e", inf, 20)]
    assert [each.name for each in survivors(results, WISH)] == ["c", "b", "e"]
    slow = [result("a", 4, 1), result("b", 12, 2), result("c", 6, 3)]
    assert [each.name for each in survivors(slow, WISH)] == ["c", "b"]


def test_nothing_is_better_than_a_result_of_the_front() -> None:
    results = [result("a", 4, 1), result("b", 12, 9), result("c", 6, 5), result("d", 7, 4), result("e", inf, 20)]
    assert [each.name for each in front(results, WISH)] == ["b", "c", "a"]


def test_the_choice_is_fast_enough_and_its_interval_has_the_size() -> None:
    assert choice([result("slow", 2, 1), result("far", 20, 9)], WISH) is None
    chosen = choice([result("slow", 2, 1), result("near", 12, 9), result("nearer", 9, 5)], WISH)
    assert chosen is not None and chosen.name == "nearer"


def test_later_rounds_replace_earlier_ones() -> None:
    results = [result("a", 4, 1), result("b", 5, 1), result("a", 6, 1, round=1)]
    assert [(each.name, each.size) for each in latest(results)] == [("a", 6), ("b", 5)]


def test_the_plot_has_every_configuration_and_the_wish() -> None:
    results = [result("a, tiles 64", 4, 1), result("b <c>", 12, 9, round=1), result("d", inf, 20)]
    root = ElementTree.fromstring(draw_front(results, WISH))  # noqa: S314 - it was drawn here
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}g[@class='result']")) == 3
    (corner,) = root.findall(f"{space}rect[@class='wish']")
    assert 0 < float(corner.attrib["width"]) < 560
    assert "inf" not in draw_front(results, WISH) and "nan" not in draw_front(results, WISH)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("6px@10%", Wish("scratch", 6.0, 0.1, 2.0)),
        ("0.3 mm @ 10 %", Wish("scratch", 6.0, 0.1, 2.0)),
        ("pit 12px@30%", Wish("pit", 12.0, 0.3, 2.0)),
        ("missing print 8px@50%", Wish("missing print", 8.0, 0.5, 2.0)),
    ],
)
def test_a_wish_is_a_kind_a_size_and_a_contrast(text: str, expected: Wish) -> None:
    assert read_wish(text, 2.0, 20.0) == expected


@pytest.mark.parametrize(
    ("text", "rate", "scale", "message"),
    [
        ("6", 1.0, None, "wish is '6'; give a size and a contrast, such as 6px@10%"),
        ("dust 6px@10%", 1.0, None, "wish is about 'dust'; the marks are scratch, soft scratch, pit"),
        ("6px@0%", 1.0, None, "a contrast of 0 %"),
        ("6px@130%", 1.0, None, "more than 0 and at most 100"),
        ("0.3mm@10%", 1.0, None, "the scale is not known; give pixels_per_mm"),
        ("0.3mm@10%", 1.0, -2.0, "pixels_per_mm is -2"),
        ("0.01mm@10%", 1.0, 20.0, "no scratch is smaller than 1 px"),
        ("soft scratch 6px@10%", 1.0, None, "no soft scratch is smaller than 8 px"),
        ("6px@10%", -1.0, None, "rate is -1"),
    ],
)
def test_a_wish_that_cannot_be_is_refused(text: str, rate: float, scale: float | None, message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        read_wish(text, rate, scale)


def test_a_mark_must_have_room_in_the_pictures() -> None:
    WISH.require_room(160)
    with pytest.raises(
        InvalidParameter, match=r"largest that is drawn into pictures whose shorter edge has 60 px has 4"
    ):
        WISH.require_room(60)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"detectors": ("Dream",)}, "detectors names Dream; use Subspace"),
        ({"tile_sizes": ()}, "tile_sizes is"),
        ({"halos": (0, 0)}, "different values"),
        ({"overlaps": (1.0,)}, "overlaps has 1"),
        ({"scales": (1.0, 0.0)}, "scales has 0; use factors of more than 0 and at most 1"),
    ],
)
def test_a_space_that_cannot_be_is_refused(values: dict[str, tuple[object, ...]], message: str) -> None:
    with pytest.raises(InvalidParameter, match=message):
        Space(**values)  # type: ignore[arg-type]  # values of several types


def folder(root: Path, **counts: int) -> Folder:
    for name, count in counts.items():
        (root / name).mkdir()
        for number in range(count):
            Image.fromarray(draw_surface(number, 32, 40)).save(root / name / f"{number:02}.png")
    return Folder(str(root), "good", "defect" if counts.get("defect") else None, num_workers=0)


def test_pictures_for_marks_are_not_trained_on(tmp_path: Path) -> None:
    pictures = search_pictures(folder(tmp_path, good=20), lambda *_: None)
    assert (len(pictures.fit), len(pictures.marked)) == (15, 5)
    assert not set(pictures.fit) & set(pictures.marked)
    some = pictures.some(8, 4)
    assert (len(some.fit), len(some.marked)) == (8, 4)
    assert set(some.fit) <= set(pictures.fit)
    assert (pictures.size, pictures.shortest_edge) == ((32, 40), 32)


def test_pictures_of_one_size_can_be_made_smaller(tmp_path: Path) -> None:
    pictures = search_pictures(folder(tmp_path, good=20), lambda *_: None)
    assert pictures.scaled(None, 1.0) is None
    assert pictures.scaled(None, 0.5) == (16, 20)
    assert pictures.scaled((64, 48), 0.25) == (16, 12)
    others = replace(pictures, sizes=((32, 40), (40, 32)))
    assert others.scaled(None, 1.0) is None
    assert others.scaled((64, 48), 0.5) == (32, 24)
    with pytest.raises(InvalidDataset, match=r"different sizes, and a model resizes all to one; give data.image_size"):
        others.scaled(None, 0.5)


def test_normal_pictures_for_testing_get_the_marks(tmp_path: Path) -> None:
    data = folder(tmp_path, good=20, defect=1)
    pictures = search_pictures(data, lambda *_: None)
    assert pictures.fit == tuple(data.train_pictures())
    assert set(pictures.marked) == {each.path for each in data.test_pictures() if not each.anomalous}


def test_a_memory_bank_of_a_trial_is_as_large_as_that_of_all_pictures(tmp_path: Path) -> None:
    pictures = search_pictures(folder(tmp_path, good=20), lambda *_: None)
    machine = Machine(torch.device("cpu"), "auto", 1, 1)
    data = Folder(str(tmp_path), "good", num_workers=0)
    trials = Trials(data, pictures, WISH, machine, Automatic(), 0, tmp_path)
    space = Space(detectors=("PatchCore",), backbones=("efficientnet_lite0",), tile_sizes=(32,), overlaps=(0.0,))
    rows = []
    for own in (pictures, pictures.some(8, 4)):
        recipe = trials.recipe(configurations(space)[0], own, 0)
        job = trials.plan(recipe)
        assert isinstance(recipe.detector, Patchcore)
        rows.append(recipe.detector.coreset_sampling_ratio * len(job.fit) * job.grid[0] * job.grid[1])
    assert rows[0] == pytest.approx(rows[1])


def test_the_model_resizes_pictures_by_the_scale(tmp_path: Path) -> None:
    pictures = search_pictures(folder(tmp_path, good=20), lambda *_: None)
    machine = Machine(torch.device("cpu"), "auto", 1, 1)
    data = Folder(str(tmp_path), "good", num_workers=0)
    trials = Trials(data, pictures, WISH, machine, Automatic(), 0, tmp_path)
    space = Space(detectors=("Subspace",), backbones=("resnet18",), tile_sizes=(16,), overlaps=(0.0,), halos=(0,))
    jobs = [trials.plan(trials.recipe(each, pictures, 0)) for each in configurations(space)]
    assert [job.preprocessing.image_size for job in jobs] == [None, (16, 20)]
    assert [job.grid for job in jobs] == [(4, 5), (2, 3)]


def test_few_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidDataset, match="has 7 normal pictures to train on; a search needs 12 or more"):
        search_pictures(folder(tmp_path, good=7), lambda *_: None)
