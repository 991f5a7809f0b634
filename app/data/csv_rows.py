"""The lines of a CSV file that lists pictures."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from app.data.base import GOOD, LabelledPicture
from app.errors import InvalidDataset

if TYPE_CHECKING:
    import _csv

NORMAL = frozenset({GOOD, "normal"})
REQUIRED = ("image", "label")
SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of the list.

    picture: the picture with its label and mask
    split: `train`, `val` or `test`; None: the list has no column `split`
    """

    picture: LabelledPicture
    split: str | None


def read_rows(path: Path, must_exist: bool) -> list[Row]:
    """The rows of the list `path`. CsvList describes the format.

    Raises InvalidDataset if the list cannot be read or is malformed, or if a mask does not exist; with `must_exist`,
    also if a picture does not exist. The message names the file and, if known, the line and the column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(_Reader(path, must_exist).read(csv.reader(file, strict=True, skipinitialspace=True)))
    except OSError as error:
        raise InvalidDataset(f"the list {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise InvalidDataset(f"the list {path} is not in UTF-8; save it as such") from error


@dataclass(frozen=True, slots=True)
class _Reader:
    path: Path
    must_exist: bool

    def read(self, lines: "_csv.Reader") -> Iterator[Row]:
        seen: dict[Path, int] = {}
        try:
            names = self._columns(next(lines, []))
            for values in lines:
                if not values:
                    continue
                if len(values) != len(names):
                    raise self._error(lines.line_num, f"{len(values)} fields, and the header has {len(names)}")
                row = self._row(dict(zip(names, (value.strip() for value in values), strict=True)), lines.line_num)
                path = row.picture.path.resolve()
                if path in seen:
                    raise self._error(lines.line_num, f"column image: {path.name} is in line {seen[path]}, too")
                seen[path] = lines.line_num
                yield row
        except csv.Error as error:
            raise self._error(
                lines.line_num,
                f"{error}; put fields with commas or quotes into quotes, and double the quotes inside",
            ) from error

    def _columns(self, header: Sequence[str]) -> list[str]:
        names = [name.strip() for name in header]
        missing = [name for name in REQUIRED if name not in names]
        if missing or len(set(names)) < len(names):
            raise self._error(
                1,
                f"the header is {','.join(names)!r}; it needs the columns image and label, may have mask and split, "
                "each once, and commas between them",
            )
        return names

    def _row(self, fields: Mapping[str, str], line: int) -> Row:
        image = self._file(fields["image"], line, "image", self.must_exist)
        label = fields["label"]
        if not label:
            raise self._error(line, "column label: empty; use normal, anomalous or the kind of defect")
        kind = GOOD if label.lower() in NORMAL else label
        split = fields.get("split")
        if split not in (None, *SPLITS):
            raise self._error(line, f"column split: {split!r}; use train, val or test, or leave the column out")
        if split == "train" and kind != GOOD:
            raise self._error(line, f"column split: {label!r} cannot be trained on; use val or test")
        mask = fields.get("mask") if kind != GOOD else None
        return Row(LabelledPicture(image, kind, self._file(mask, line, "mask", True) if mask else None), split)

    def _file(self, name: str, line: int, column: str, must_exist: bool) -> Path:
        if not name:
            raise self._error(line, f"column {column}: empty; give a path, absolute or relative to the list")
        found = self.path.parent / name
        if must_exist and not found.is_file():
            raise self._error(
                line, f"column {column}: there is no file {found}; paths are absolute or relative to the list"
            )
        return found

    def _error(self, line: int, message: str) -> InvalidDataset:
        return InvalidDataset(f"{self.path}, line {line}: {message}")
