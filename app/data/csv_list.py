"""Datasets listed in a CSV file."""

from functools import cached_property
from pathlib import Path
from typing import Unpack

from app.data.base import (
    GOOD,
    Common,
    DataModule,
    LabelledPicture,
    LabelledSplit,
    held_out_note,
    hold_out_for_test,
    sort_pictures,
)
from app.data.csv_rows import Row, read_rows
from app.data.selection import require_share
from app.errors import InvalidDataset


class CsvList(DataModule):
    """Pictures that a CSV file lists. The file is UTF-8, with or without byte order mark, and has a header line.

    The columns may be in any order. Other columns are ignored. Paths are absolute or relative to the CSV file.

    - `image`: the path of the picture
    - `label`: `normal` or `good` for a normal picture; else `anomalous` or the kind of defect
    - `mask`: the path of the mask of an anomalous picture; the column and its fields are optional
    - `split`: `train`, `val` or `test`; the column is optional, its fields are not

    Without a column `split`, all anomalous pictures and a share of the normal pictures are for testing.

    Args:
        path: the CSV file
        test_split_ratio: the share of the normal pictures, spread evenly, that is used for testing and not for
            training, if the list has anomalous pictures and no column `split`
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

    def find_normal(self) -> list[Path]:
        train = self._normal()[0]
        if not train:
            raise InvalidDataset(f"{self.path} lists no normal picture to train on")
        return train

    def find_labelled(self) -> LabelledSplit:
        held_out = [LabelledPicture(path, GOOD, None) for path in self._normal()[1]]
        unassigned = [row.picture for row in self._rows if row.split is None and row.picture.anomalous]
        test, validation = ([row.picture for row in self._rows if row.split == split] for split in ("test", "val"))
        return LabelledSplit(sort_pictures([*test, *unassigned, *held_out]), sort_pictures(validation))

    def _normal(self) -> tuple[list[Path], list[Path]]:
        """The normal pictures for training, and those without a split that are held out for testing."""
        paths = sorted(
            row.picture.path for row in self._rows if row.split in (None, "train") and not row.picture.anomalous
        )
        divided = any(row.split is None and row.picture.anomalous for row in self._rows)
        return hold_out_for_test(paths, self.test_split_ratio) if divided and paths else (paths, [])

    @cached_property
    def _rows(self) -> list[Row]:
        return read_rows(self.path, must_exist=self.on_unreadable == "stop")
