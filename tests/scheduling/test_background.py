"""Background work has the lowest share of the devices, and delays other work by one unit at most."""

from concurrent.futures import CancelledError
from dataclasses import replace

import pytest
import torch

from app.pipeline import Band, TiledModel, run_band
from app.pipeline.scan import bands
from app.scheduling import worker_bands
from app.scheduling.job import Job, Step
from app.scheduling.scheduler import Scheduler
from app.scheduling.spare_time import MOST_S, SHARE
from tests.scheduling.simulation import STEP_S, TILE_S, Simulation, job
from tests.scheduling.test_worker import IMAGE, TILES, Gate, running, submit
from tests.waiting import WAIT_S, wait_until


def background(tiles: int) -> Job:
    return replace(job(tiles), background=True)


def wanted() -> None:
    """The picture is wanted."""


class Unwanted(Exception):
    """Stands for a job that was cancelled."""


def test_background_work_runs_alone() -> None:
    simulation, work = Simulation(), background(8)
    simulation.arrive(work)
    simulation.run()
    assert simulation.device_s[work] >= 8 * TILE_S


def test_other_work_waits_for_one_unit_at_most() -> None:
    simulation, work = Simulation(), background(400)
    simulation.arrive(work)
    for _ in range(20):
        simulation.unit()
    alone = Simulation()
    alone.arrive(alone_job := job(8))
    alone.run()
    simulation.arrive(live := job(8))
    while live not in simulation.latency:
        simulation.unit()
    assert simulation.latency[live] <= alone.latency[alone_job] + work.limit * TILE_S


def test_background_work_gets_its_share_beside_other_work() -> None:
    simulation, work = Simulation(), background(100_000)
    simulation.arrive(work)
    for _ in range(2000):
        if sum(each.left for each in simulation.arrived if not each.background) < 8:
            simulation.arrive(job(8))
        simulation.unit()
    own_s = simulation.device_s[work]
    assert own_s == pytest.approx(SHARE * (simulation.now - own_s), abs=MOST_S + 5 * TILE_S)


def test_batches_hold_no_background_tiles_beside_others() -> None:
    simulation = Simulation()
    simulation.arrive(background(6), background(7), *(job(3) for _ in range(60)))
    simulation.run()
    mixed = [len({part.job.background for part in batch.ranges}) for batch in simulation.batches]
    assert set(mixed) == {1}
    assert simulation.scheduler.in_flight == 0 and not simulation.scheduler.has_background


def test_a_lane_without_other_work_does_not_run_background_work_beside_it() -> None:
    scheduler, work, live = Scheduler(lanes=2), background(8), job(8)
    scheduler.add(work)
    scheduler.add(live)
    assert scheduler.next(0) == Step(live)
    assert scheduler.next(1) is None
    assert scheduler.is_computing(0) and not scheduler.is_computing(1)
    scheduler.remove(live)
    scheduler.stepped(0, STEP_S, last=True)
    assert scheduler.next(1) is not None or scheduler.next(0) is not None


def test_waiting_background_work_is_given_up() -> None:
    scheduler, work = Scheduler(), background(8)
    scheduler.add(work)
    assert scheduler.remove(work) and not scheduler.has_background
    assert scheduler.next(0) is None


def test_bands_that_run_in_the_background_have_the_outcome_of_those_without_a_queue(tiny_model: TiledModel) -> None:
    for_whole = bands(tiny_model.plan(*IMAGE.shape[-2:]))
    band = Band(IMAGE, 255.0, for_whole[0], (IMAGE.shape[-2], IMAGE.shape[-1]), None, 0)
    expected = run_band(tiny_model, band)
    with running() as (worker, observer), worker_bands(worker, [tiny_model], wanted) as run:
        outcome = run(band)()
        assert observer.queue == []
    assert torch.equal(outcome.values, expected.values) and outcome.raw_score == expected.raw_score


def test_leaving_the_block_gives_up_a_band(tiny_model: TiledModel) -> None:
    plan = bands(tiny_model.plan(*IMAGE.shape[-2:]))[0]
    band, gate = Band(IMAGE, 255.0, plan, (IMAGE.shape[-2], IMAGE.shape[-1]), None, 0), Gate(tiny_model)
    with running() as (worker, _):
        live = submit(worker, tiny_model)
        assert gate.reached.wait(WAIT_S)
        with worker_bands(worker, [tiny_model], wanted) as run:
            wait = run(band)
        gate.open()
        with pytest.raises(CancelledError):
            wait()
        live.result(WAIT_S)
        wait_until(lambda: worker.tiles == 0)


def test_a_picture_that_is_no_longer_wanted_frees_its_lane_after_the_current_unit(tiny_model: TiledModel) -> None:
    plan = bands(tiny_model.plan(*IMAGE.shape[-2:]))[0]
    band, gate = Band(IMAGE, 255.0, plan, (IMAGE.shape[-2], IMAGE.shape[-1]), None, 0), Gate(tiny_model)

    def check() -> None:
        if gate.reached.is_set():
            raise Unwanted

    with running() as (worker, observer):
        with pytest.raises(Unwanted), worker_bands(worker, [tiny_model], check) as run:
            run(band)()
        gate.open()
        submit(worker, tiny_model).result(WAIT_S)
        assert sum(tiles for tiles, _ in observer.batches) <= TILES + tiny_model.batch_tiles
