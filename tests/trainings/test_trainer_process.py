from time import monotonic

import pytest

from app.trainings import TrainingLimits, trainer_process
from app.trainings.trainer_process import TrainerProcess
from app.trainings.training_order import TrainingOrder


def test_a_result_holds_also_if_its_process_takes_long_to_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_process, "END_S", 0.1)
    order, seen, started_s = TrainingOrder("", "lid", TrainingLimits(60.0, 2**32, 1)), [], monotonic()
    process = TrainerProcess("tests.trainings.slow_to_end", order, "")
    assert process.run(lambda *progress: seen.append(progress)) == {"version": 1}
    assert seen == [("pictures", 1, 1)] and monotonic() - started_s < 30
