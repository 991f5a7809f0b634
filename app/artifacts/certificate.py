"""`certificate.json` in the directory of a version: which marks the version finds, as `tessera certify` measured.

The manifest is not changed, so that the version keeps its digest. The file names the digest of the manifest that it
belongs to, and counts for no other.
"""

import logging
from pathlib import Path
from typing import Literal

from pydantic import Field

from app.artifacts.manifest import FalseAlarmRecord
from app.artifacts.record import Record, read_record, record_content, write_record
from app.errors import InvalidServing
from app.files import locked, naming

CERTIFICATE = "certificate.json"

_log = logging.getLogger(__name__)


class TriedRecord(Record):
    """Marks of one size in pixels, and how many of them were found."""

    size: int = Field(ge=1)
    tried: int = Field(ge=1)
    found: int = Field(ge=0)


class GradeRecord(Record):
    """Marks of one kind and contrast.

    smallest: the size in pixels that is found with 95 % probability; None: none of the sizes that were tried
    low, high: the ends of its 95 % interval; None: below or above all sizes that were tried
    tried: by rising size; empty: there was no place for such a mark
    """

    kind: str = Field(max_length=40)
    contrast: float = Field(gt=0, le=1)
    smallest: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    low: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    high: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    tried: tuple[TriedRecord, ...] = Field(default=(), max_length=32)

    def __str__(self) -> str:
        where = f"at {100 * self.contrast:.3g} % contrast"
        if not self.tried:
            return f"{self.kind} {where}: no place for it in these pictures"
        if self.smallest is None:
            return f"{self.kind} {where}: not found with 95 % probability up to {self.tried[-1].size} px"
        return f"{self.kind} from {self.smallest:.2g} px {where}"


class PlaceRecord(Record):
    """How a part of the picture compares with the whole.

    factor: how many times as large marks must be here, with its 95 % interval
    """

    tried: int = Field(ge=0)
    found: int = Field(ge=0)
    factor: float = Field(gt=0, allow_inf_nan=False)
    low: float = Field(gt=0, allow_inf_nan=False)
    high: float = Field(gt=0, allow_inf_nan=False)


class CertificateRecord(Record):
    """What a version finds.

    digest: the SHA-256 of the version's manifest
    dataset, pictures: the normal pictures into which marks were drawn
    size: the (height, width) of the largest of them in pixels
    marks: the number of marks of each kind and contrast
    false_alarms: those among the pictures without marks
    grid: the rows and columns of `places`, which are listed row by row
    """

    schema_version: Literal[1] = 1
    digest: str = Field(min_length=64, max_length=64)
    created_at: str = Field(max_length=40)
    tessera_version: str = Field(max_length=40)
    dataset: str = Field(max_length=300)
    pictures: int = Field(ge=1)
    size: tuple[int, int]
    seed: int
    marks: int = Field(ge=1)
    false_alarms: FalseAlarmRecord
    grades: tuple[GradeRecord, ...] = Field(max_length=64)
    grid: tuple[int, int]
    places: tuple[PlaceRecord, ...] = Field(max_length=256)

    @property
    def headlines(self) -> tuple[GradeRecord, ...]:
        """For each kind, the grade of the lowest contrast of which a size is found; if none, of the highest contrast.

        Kinds without a place in the pictures are left out.
        """
        found: dict[str, GradeRecord] = {}
        for grade in sorted((each for each in self.grades if each.tried), key=lambda each: each.contrast):
            if grade.kind not in found or found[grade.kind].smallest is None:
                found[grade.kind] = grade
        return tuple(found.values())


def read_certificate(version: Path, digest: str) -> CertificateRecord | None:
    """The certificate in the directory of a version whose manifest has this digest; None: there is none for it.

    Raises InvalidServing for a file that cannot be used.
    """
    meaning, remedy = "what the version finds", "remove it, or run tessera certify again"
    found = read_record(CertificateRecord, version / CERTIFICATE, meaning, remedy)
    return found if found is not None and found.digest == digest else None


def usable_certificate(version: Path, digest: str) -> CertificateRecord | None:
    """The same, and None for a file that cannot be used, which is logged: it must not keep a version from serving."""
    try:
        return read_certificate(version, digest)
    except InvalidServing as error:
        _log.warning("%s", error)
        return None


def write_certificate(version: Path, record: CertificateRecord) -> None:
    """Writes the certificate of the version in this directory, in place of an earlier one; raises OSError."""
    with naming(version), locked(version.parent, wait=True):
        write_record(version / CERTIFICATE, record)


def certificate_content(record: CertificateRecord) -> str:
    """The content of a certificate's file."""
    return record_content(record).decode()
