"""Replicas with the same settings do not share files of which each server needs its own."""

from contextlib import ExitStack
from pathlib import Path

from app.deploy.own_folders import with_own_folders
from app.settings import Settings


def settings(folder: Path) -> Settings:
    return Settings(
        spool_dir=folder / "spool", on_verdict=f"folder:{folder}/out", verdict_record=folder / "record" / "day.csv"
    )


def test_replicas_have_folders_of_their_own_and_take_over_those_of_ended_ones(tmp_path: Path) -> None:
    with ExitStack() as other:
        with ExitStack() as ended:
            first = with_own_folders(settings(tmp_path), ended)
            second = with_own_folders(settings(tmp_path), other)
        third = with_own_folders(settings(tmp_path), other)
    assert first.spool_dir == third.spool_dir == tmp_path / "spool/replica-0/spool"
    assert second.spool_dir == tmp_path / "spool/replica-1/spool"
    assert first.verdict_record == third.verdict_record == tmp_path / "record/replica-0/day.csv"
    assert second.verdict_record == tmp_path / "record/replica-1/day.csv"
    assert second.spool_dir.parent.is_dir()


def test_nothing_is_made_if_no_verdict_is_kept(tmp_path: Path) -> None:
    unchanged = Settings(spool_dir=tmp_path / "spool")
    with ExitStack() as held:
        assert with_own_folders(unchanged, held) == unchanged
    assert not any(tmp_path.iterdir())
