from app.training.time_left import TimeLeft


class Reported:
    """A clock, and a Progress that keeps the notes."""

    def __init__(self) -> None:
        self.now_s, self.notes = 0.0, list[str]()

    def clock(self) -> float:
        return self.now_s

    def __call__(self, stage: str, done: int, total: int, note: str = "") -> None:
        self.notes.append(note)


def pictures(left: TimeLeft, reported: Reported, numbers: range, seconds: float) -> None:
    for number in numbers:
        reported.now_s += seconds
        left("pictures", number, 10)


def test_nothing_is_said_before_the_time_is_announced() -> None:
    reported = Reported()
    left = TimeLeft(reported, reported.clock)
    pictures(left, reported, range(1, 6), 2)
    left("training", 1, 2, "loss 0.5")
    assert reported.notes == [""] * 5 + ["loss 0.5"]


def test_the_pace_leaves_out_the_first_unit_and_other_work() -> None:
    reported = Reported()
    left = TimeLeft(reported, reported.clock)
    paces = []
    for numbers, seconds in ((range(1, 2), 30), (range(2, 4), 2), (range(4, 5), 2)):
        pictures(left, reported, numbers, seconds)
        paces.append(left.pace_s)
        reported.now_s += 5
        left.leave_out(5)
    assert paces == [None, 2, 2]


def test_the_time_of_the_whole_training_is_announced_and_then_refined() -> None:
    reported = Reported()
    left = TimeLeft(reported, reported.clock)
    pictures(left, reported, range(1, 5), 2)  # 8 s; 12 s of this stage are left
    left.expect("coreset", 60)
    left.expect("calibration", 20)
    left.announce()
    assert reported.notes[-1] == "0:01:40 in all (pictures 0:00:20, coreset 0:01:00, calibration 0:00:20)"
    pictures(left, reported, range(5, 11), 4)  # slower
    assert reported.notes[-1] == "0:01:20 left in all"
    reported.now_s += 1
    left("coreset", 1, 100)
    assert reported.notes[-1] == "0:01:19 left in all"  # 99 % of what was expected
    reported.now_s += 10
    left("coreset", 51, 100, "half")
    assert reported.notes[-1] == "half, 0:00:30 left in all"
    left("calibration", 1, 10)
    assert left.seconds == 18
    reported.now_s += 9
    left("calibration", 10, 10)
    assert left.seconds == 0


def test_a_stage_that_is_left_out_is_not_waited_for() -> None:
    reported = Reported()
    left = TimeLeft(reported, reported.clock)
    pictures(left, reported, range(1, 5), 2)
    left.expect("coreset", 60)
    left.expect("calibration", 20)
    left("calibration", 1, 10)
    assert left.seconds == 18
