"""The scheduler's state machine, in virtual time."""

from random import Random

import pytest

from app.scheduling.job import Batch, Job, Probe, State, Step, Unit
from app.scheduling.lane import AHEAD_BATCHES, TRIES_BEFORE_GROWING
from app.scheduling.quarantine import FIRST_S, LONGEST_S
from app.scheduling.scheduler import Scheduler
from tests.scheduling.simulation import STEP_S, STEPS, TILE_S, Simulation, job

HUGE = 1024
"""The number of tiles of a picture of 8192 x 8192 pixels."""


def open_all(scheduler: Scheduler) -> Batch | None:
    """Runs the steps that come first, and returns the batch that follows them."""
    while isinstance(unit := scheduler.next(0), Step):
        scheduler.stepped(0, 0.0, last=True)
    assert not isinstance(unit, Probe)
    return unit


def ranges(batch: Unit | None) -> list[tuple[Job, range]]:
    assert isinstance(batch, Batch)
    return [(part.job, part.indices) for part in batch.ranges]


def test_without_work_there_is_no_next_unit() -> None:
    assert Scheduler().next(0) is None


def test_the_first_step_of_a_picture_runs_before_its_tiles() -> None:
    scheduler, picture = Scheduler(), job(3)
    scheduler.add(picture)
    assert scheduler.next(0) == Step(picture)
    scheduler.stepped(0, 0.1, last=True)
    assert ranges(scheduler.next(0)) == [(picture, range(3))]


def test_tiles_come_in_order_and_steps_before_the_next_tiles() -> None:
    simulation, picture = Simulation(), job(10)
    simulation.arrive(picture)
    simulation.run()
    kinds = ["batch" if isinstance(unit, Batch) else "step" for unit in simulation.units]
    assert kinds == ["step", "batch", "step", "batch", "step", "batch", *["step"] * STEPS]
    assert [each for batch in simulation.batches for each in ranges(batch)[0][1]] == list(range(10))
    assert picture.state is State.gone and simulation.scheduler.in_flight == 0


def test_batches_are_filled_from_several_pictures_oldest_first() -> None:
    scheduler, pictures = Scheduler(), [job(3) for _ in range(3)]
    for picture in pictures:
        scheduler.add(picture)
    first, second, third = pictures
    assert ranges(open_all(scheduler)) == [(first, range(3)), (second, range(1))]
    scheduler.ran(0, 1.0)
    assert ranges(open_all(scheduler)) == [(second, range(1, 3)), (third, range(2))]


def test_batches_hold_one_model_and_one_shape() -> None:
    simulation = Simulation()
    jobs = [job(2, model, shape=shape) for model in "ab" for shape in ((64, 64), (64, 96)) for _ in range(3)]
    simulation.arrive(*jobs)
    simulation.run()
    assert len(simulation.latency) == len(jobs)
    for batch in simulation.batches:
        assert len({(each.model, each.shape) for each in batch.jobs}) == 1


def test_just_enough_pictures_are_in_flight_to_fill_the_batches() -> None:
    simulation = Simulation()
    simulation.arrive(*(job(1) for _ in range(100)))
    most = 0
    while simulation.unit():
        most = max(most, simulation.scheduler.in_flight)
    assert most <= (AHEAD_BATCHES + 1) * 4
    assert [batch.tiles for batch in simulation.batches] == [4] * 25


def test_pictures_of_one_size_end_in_the_order_of_their_arrival() -> None:
    simulation, pictures = Simulation(), [job(16) for _ in range(16)]
    simulation.arrive(*pictures)
    simulation.run()
    assert list(simulation.latency) == pictures


@pytest.mark.parametrize("tiles", [4, 16, 64])
def test_a_huge_picture_delays_a_small_one_at_most_threefold(tiles: int) -> None:
    alone, small = Simulation(), job(tiles)
    alone.arrive(small)
    alone.run()
    simulation, huge = Simulation(), job(HUGE)
    simulation.arrive(huge)
    latencies = []
    for pause in range(60):  # one after the other, starting at various moments
        for _ in range(pause % 5):
            simulation.unit()
        small = job(tiles)
        simulation.arrive(small)
        while small not in simulation.latency:
            simulation.unit()
        if huge not in simulation.latency:
            latencies.append(simulation.latency[small])
    assert len(latencies) > 10
    assert max(latencies) <= 3 * alone.latency[next(iter(alone.latency))]


def test_a_huge_picture_keeps_its_share_beside_many_small_ones() -> None:
    simulation, huge = Simulation(), job(HUGE)
    simulation.arrive(huge)
    while huge not in simulation.latency:
        waiting = len(simulation.arrived) - len(simulation.latency)
        simulation.arrive(*(job(4) for _ in range(10 - waiting)))
        simulation.unit()
    share = simulation.device_s[huge] / simulation.now
    assert share == pytest.approx(0.5, abs=0.02)


def test_a_small_picture_does_not_wait_for_several_huge_ones() -> None:
    simulation = Simulation()
    simulation.arrive(*(job(HUGE) for _ in range(6)))
    for _ in range(10):
        simulation.unit()
    small = job(4)
    simulation.arrive(small)
    while small not in simulation.latency:
        simulation.unit()
    assert simulation.latency[small] <= 3 * (4 * TILE_S + (STEPS + 1) * STEP_S)
    assert simulation.scheduler.in_flight == 1  # the other huge ones hold no memory of the device


@pytest.mark.parametrize("slower", [1.0, 5.0])
def test_models_share_a_device_by_time_and_not_by_batches(slower: float) -> None:
    simulation = Simulation(cost=lambda each: slower if each.model == "slow" else 1.0)
    simulation.arrive(job(HUGE, "slow"), job(HUGE, "fast"))
    for _ in range(400):
        simulation.unit()
    spent = {each.model: seconds for each, seconds in simulation.device_s.items()}
    assert spent["slow"] / spent["fast"] == pytest.approx(1.0, abs=0.05)


def test_a_model_with_more_sizes_in_flight_has_no_larger_share() -> None:
    simulation = Simulation()
    simulation.arrive(job(HUGE, "a"), *(job(tiles, "b") for tiles in (HUGE, 256, 64) for _ in range(2)))
    for _ in range(300):
        simulation.unit()
    spent = {model: sum(s for each, s in simulation.device_s.items() if each.model == model) for model in "ab"}
    assert spent["a"] / spent["b"] == pytest.approx(1.0, abs=0.05)


def test_an_idle_model_accumulates_no_share() -> None:
    simulation, first = Simulation(), job(HUGE, "a")
    simulation.arrive(first)
    for _ in range(200):
        simulation.unit()
    before = simulation.device_s[first]
    simulation.arrive(job(HUGE, "b"))
    for _ in range(200):
        simulation.unit()
    spent = simulation.device_s
    assert spent[first] - before == pytest.approx(sum(spent.values()) - spent[first], rel=0.05)


def test_a_waiting_job_is_given_up_at_once() -> None:
    scheduler, picture = Scheduler(), job(3)
    scheduler.add(picture)
    assert scheduler.remove(picture)
    assert scheduler.next(0) is None and picture.state is State.gone


def test_a_job_in_flight_is_given_up_at_once_or_after_its_current_unit() -> None:
    scheduler, pictures = Scheduler(), [job(8) for _ in range(2)]
    first, second = pictures
    scheduler.add(first)
    assert ranges(open_all(scheduler)) == [(first, range(4))]
    assert not scheduler.remove(first)
    assert scheduler.ran(0, 1.0) == [first]
    scheduler.add(second)
    assert ranges(open_all(scheduler)) == [(second, range(4))]
    scheduler.ran(0, 1.0)
    assert scheduler.remove(second)
    assert scheduler.next(0) is None and scheduler.in_flight == 0


def test_a_failed_batch_is_bisected_until_the_failing_picture_is_alone() -> None:
    scheduler, pictures = Scheduler(), [job(1, limit=8) for _ in range(8)]
    for picture in pictures:
        scheduler.add(picture)
    failing = pictures[5]
    batch, failed, gone = open_all(scheduler), 0, []
    while failing not in gone:
        assert batch is not None
        if failing in batch.jobs:
            failed += 1
            gone += scheduler.failed(0, 1.0)
        else:
            scheduler.ran(0, 1.0)
        if failing not in gone:
            unit = scheduler.next(0)
            assert isinstance(unit, Batch)
            batch = unit
    assert gone == [failing]
    assert failed == 4  # 8, 4, 2, 1
    assert {each.state for each in pictures if each is not failing} <= {State.stepping, State.running}


def test_a_device_failure_ends_all_pictures_of_the_batch() -> None:
    scheduler, pictures = Scheduler(), [job(1) for _ in range(4)]
    for picture in pictures:
        scheduler.add(picture)
    open_all(scheduler)
    assert scheduler.device_failed(0, 1.0, now_s=0.0) == pictures


def test_a_picture_that_is_given_up_takes_no_part_in_retries() -> None:
    scheduler, pictures = Scheduler(), [job(1) for _ in range(4)]
    for picture in pictures:
        scheduler.add(picture)
    open_all(scheduler)
    assert not scheduler.remove(pictures[0])
    assert scheduler.failed(0, 1.0) == [pictures[0]]
    assert scheduler.remove(pictures[1])
    assert ranges(scheduler.next(0)) == [(each, range(1)) for each in pictures[2:]]


def test_lack_of_memory_halves_batches_until_they_fit_and_later_they_grow_again() -> None:
    scheduler, picture = Scheduler(), job(10**4, limit=16)
    scheduler.add(picture)
    sizes, issued = [], []
    for number in range(3 * TRIES_BEFORE_GROWING + 5):
        batch = open_all(scheduler)
        assert batch is not None
        sizes.append(batch.tiles)
        if batch.tiles > 4 and number < 5:
            assert scheduler.ran_out_of_memory(0, 1.0) == []
        else:
            issued += [*ranges(batch)[0][1]]
            scheduler.ran(0, 1.0)
    assert sizes[:3] == [16, 8, 4]
    assert sizes[2 : 2 + TRIES_BEFORE_GROWING] == [4] * TRIES_BEFORE_GROWING
    assert sizes[2 + TRIES_BEFORE_GROWING : 2 + 2 * TRIES_BEFORE_GROWING] == [8] * TRIES_BEFORE_GROWING
    assert sizes[-1] == 16
    assert issued == list(range(len(issued)))


def test_a_picture_whose_single_tile_lacks_memory_is_given_up() -> None:
    scheduler, picture = Scheduler(), job(5, limit=1)
    scheduler.add(picture)
    open_all(scheduler)
    assert scheduler.ran_out_of_memory(0, 1.0) == [picture]
    assert scheduler.next(0) is None


def test_a_picture_whose_step_fails_is_given_up() -> None:
    scheduler, picture = Scheduler(), job(5)
    for fail in (scheduler.failed, scheduler.ran_out_of_memory):
        picture = job(5)
        scheduler.add(picture)
        assert scheduler.next(0) == Step(picture)
        assert fail(0, 1.0) == [picture]


def test_devices_share_the_queue_and_keep_their_pictures() -> None:
    scheduler, pictures = Scheduler(2), [job(16) for _ in range(4)]
    for picture in pictures:
        scheduler.add(picture)
    assert scheduler.next(0) == Step(pictures[0])
    assert scheduler.next(1) == Step(pictures[1])
    for device in (0, 1):
        scheduler.stepped(device, 1.0, last=True)
        assert ranges(scheduler.next(device)) == [(pictures[device], range(4))]


def fail_lane(scheduler: Scheduler, lane: int, now_s: float) -> None:
    """Adds a picture, and lets the lane's device fail with it."""
    picture = job(4)
    scheduler.add(picture)
    assert scheduler.next(lane, now_s) == Step(picture)
    assert scheduler.device_failed(lane, 0.1, now_s) == [picture]


def test_a_lane_whose_device_failed_takes_no_picture_while_another_works() -> None:
    scheduler = Scheduler(2)
    fail_lane(scheduler, 0, 0.0)
    scheduler.add(picture := job(4))
    assert scheduler.next(0) is None
    assert scheduler.failed_lanes == {0}
    assert scheduler.next(1) == Step(picture)


def test_a_device_that_failed_is_tested_after_a_pause_and_then_takes_work_again() -> None:
    scheduler = Scheduler(2)
    fail_lane(scheduler, 0, now_s=10.0)
    assert scheduler.probe_due_s(0) == 10.0 + FIRST_S
    assert scheduler.next(0, 10.0 + 0.9 * FIRST_S) is None
    assert scheduler.next(0, 10.0 + FIRST_S) == Probe()
    assert scheduler.probed(0, 0.1) == []
    assert not scheduler.failed_lanes and scheduler.probe_due_s(0) is None
    scheduler.add(picture := job(4))
    assert scheduler.next(0) == Step(picture)


def test_a_device_that_fails_its_tests_is_tested_less_and_less_often() -> None:
    scheduler, now_s, pauses = Scheduler(2), 0.0, []
    fail_lane(scheduler, 0, now_s)
    for _ in range(10):
        due_s = scheduler.probe_due_s(0)
        assert due_s is not None
        pauses.append(due_s - now_s)
        now_s = due_s
        assert scheduler.next(0, now_s) == Probe()
        assert scheduler.device_failed(0, 0.1, now_s) == []
    assert pauses[:4] == [FIRST_S, 2 * FIRST_S, 4 * FIRST_S, 8 * FIRST_S]
    assert pauses[-1] == LONGEST_S


def test_pictures_in_flight_in_a_failed_lane_continue_and_show_that_its_device_works() -> None:
    scheduler, pictures = Scheduler(2), [job(2, limit=2), job(2, "other")]
    for picture in pictures:
        scheduler.add(picture)
    assert scheduler.next(0) == Step(pictures[0])
    assert scheduler.device_failed(0, 0.1, now_s=0.0) == [pictures[0]]
    assert scheduler.next(0, 100.0) == Step(pictures[1])  # before any test
    scheduler.stepped(0, 0.1, last=True)
    assert scheduler.failed_lanes == {0}  # a step may need no device
    assert isinstance(scheduler.next(0, 100.0), Batch)
    scheduler.ran(0, 0.1)
    assert not scheduler.failed_lanes


def test_if_all_devices_failed_pictures_are_the_test() -> None:
    scheduler = Scheduler(2)
    fail_lane(scheduler, 0, 0.0)
    fail_lane(scheduler, 1, 0.0)
    scheduler.add(picture := job(4))
    assert scheduler.next(0) == Step(picture)


@pytest.mark.parametrize("seed", range(20))
def test_every_tile_runs_once_and_in_order_despite_failures(seed: int) -> None:
    """Random jobs, failures, memory shortages and removals, on two devices."""
    random, scheduler = Random(seed), Scheduler(2)  # noqa: S311
    jobs = [job(random.choice([1, 2, 5, 16, 70]), random.choice("ab"), random.choice([1, 4, 7])) for _ in range(60)]
    bad = set(random.sample(jobs, 6))
    ran: dict[Job, list[int]] = {each: [] for each in jobs}
    ended: list[Job] = []
    todo = list(jobs)
    units: dict[int, Unit | None] = {0: None, 1: None}
    while len(ended) < len(jobs):
        if todo and random.random() < 0.3:
            scheduler.add(todo.pop())
        if random.random() < 0.02 and (there := [each for each in jobs if each not in todo and each not in ended]):
            victim = random.choice(there)
            if scheduler.remove(victim):
                ended.append(victim)
        device = random.randrange(2)
        unit = units[device]
        if unit is None:
            units[device] = scheduler.next(device)
            continue
        assert not isinstance(unit, Probe)
        units[device] = None
        if isinstance(unit, Step):
            ended += scheduler.stepped(device, 1.0, last=random.random() < 0.7)
        elif bad & set(unit.jobs):
            ended += scheduler.failed(device, 1.0)
        elif unit.tiles > 2 and random.random() < 0.1:
            ended += scheduler.ran_out_of_memory(device, 1.0)
        else:
            for part in unit.ranges:
                ran[part.job] += part.indices
            ended += scheduler.ran(device, 1.0)
    assert sorted(map(id, ended)) == sorted(map(id, jobs))
    for each in jobs:
        assert ran[each] == list(range(len(ran[each])))
        assert len(ran[each]) == each.tiles or each.dropped or each in bad or each.state is State.gone
    assert scheduler.next(0) is scheduler.next(1) is None


def test_a_model_is_in_no_more_lanes_than_its_limit() -> None:
    scheduler, alone, other = Scheduler(3), [job(4), job(4), job(4)], job(4, "b")
    for picture in alone:
        picture.lanes = 1
        scheduler.add(picture)
    assert scheduler.next(0) == Step(alone[0])
    scheduler.add(other)
    assert scheduler.next(1) == Step(other)
    assert scheduler.next(2) is None
    scheduler.stepped(0, 0.0, last=True)
    assert isinstance(scheduler.next(0), Step | Batch)


def test_a_model_without_a_limit_is_in_all_lanes() -> None:
    scheduler, pictures = Scheduler(2), [job(4 * AHEAD_BATCHES), job(4)]
    for picture in pictures:
        scheduler.add(picture)
    assert [scheduler.next(lane) for lane in range(2)] == [Step(each) for each in pictures]
