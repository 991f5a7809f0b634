"""Datasets listed in a CSV file."""

from functools import cached_property
from pathlib import Path
from typing import Unpack

from app.data.base import (
    GOOD,
    Common,
    DataModule,
    Labelled,
    LabelledPicture,
    held_out_note,
    hold_out_for_test,
    sort_pictures,
)
from app.data.csv_rows import Row, read_rows
from app.data.selection import require_share
from app.errors import InvalidDataset


class CsvList(DataModule):
    """Pictures that a CSV file lists, in UTF-8 (with or without byte order mark), with a header line.

    Columns, in any order, others are ignored: `image` is a path, relative to the CSV file or absolute; `label` is
    `normal` or `good`, or else `anomalous` or the kind of defect; `mask`, which may be empty or absent, is the path of
    an anomalous picture's mask; `split` is `train`, `val` or `test` in every row. Without `split`, anomalous pictures
    are for testing, as is a share of the normal ones.

    Args:
        path: the CSV file
        test_split_ratio: share of the normal pictures that is tested on and not trained on, spread evenly, if there are
            anomalous ones and no column `split`
    """

    def __init__(self, path: str, test_split_ratio: float = 0.2, **common: Unpack[Common]) -> None:
        super().__init__(**common)
        require_share("test_split_ratio", test_split_ratio)
        self.path, self.test_split_ratio = Path(path), test_split_ratio

    @property
    def description(self) -> str:
        return f"list {self.path.name}"

    @property
    def test_note(self) -> str | None:
        train, test = self._normal()
        return held_out_note(train, test) if test else None

    def train_pictures(self) -> list[Path]:
        train = self._normal()[0]
        if not train:
            raise InvalidDataset(f"{self.path} lists no normal picture to train on")
        return train

    def find_labelled(self) -> Labelled:
        held_out = [LabelledPicture(path, GOOD, None) for path in self._normal()[1]]
        unassigned = [row.picture for row in self._rows if row.split is None and row.picture.anomalous]
        test, validation = ([row.picture for row in self._rows if row.split == split] for split in ("test", "val"))
        return Labelled(sort_pictures([*test, *unassigned, *held_out]), sort_pictures(validation))

    def _normal(self) -> tuple[list[Path], list[Path]]:
        """To train on, and to test on for want of a column that says so."""
        paths = sorted(
            row.picture.path for row in self._rows if row.split in (None, "train") and not row.picture.anomalous
        )
        divided = any(row.split is None and row.picture.anomalous for row in self._rows)
        return hold_out_for_test(paths, self.test_split_ratio) if divided and paths else (paths, [])

    @cached_property
    def _rows(self) -> list[Row]:
        return read_rows(self.path, must_exist=self.on_unreadable == "stop")
