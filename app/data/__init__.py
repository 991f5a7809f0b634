"""Datasets: their pictures, the labels and masks of these, and the decoding of their pixels."""

from app.data.base import GOOD, DataModule, LabelledPicture, LabelledSplit
from app.data.csv_list import CsvList
from app.data.digests import picture_digest, read_digests
from app.data.exclusion import named_pictures, short_names
from app.data.files import SUFFIXES, pictures_in
from app.data.folder import Folder
from app.data.headers import MAX_PIXELS, PictureFile, read_headers, reason
from app.data.left_out import LeftOut, is_hidden
from app.data.loading import KEEP_BYTES, Loader, decoded
from app.data.mvtec import MVTec
from app.data.result_mark import PYRAMID_ENDINGS, PYRAMID_MARK, RESULT_ENDINGS, is_result, mark_result
from app.data.selection import require_share, spread
from app.data.unreadable import OnUnreadable, Report, UnreadablePolicy, unreported

__all__ = [
    "GOOD",
    "KEEP_BYTES",
    "MAX_PIXELS",
    "PYRAMID_ENDINGS",
    "PYRAMID_MARK",
    "RESULT_ENDINGS",
    "SUFFIXES",
    "CsvList",
    "DataModule",
    "Folder",
    "LabelledPicture",
    "LabelledSplit",
    "LeftOut",
    "Loader",
    "MVTec",
    "OnUnreadable",
    "PictureFile",
    "Report",
    "UnreadablePolicy",
    "decoded",
    "is_hidden",
    "is_result",
    "mark_result",
    "named_pictures",
    "picture_digest",
    "pictures_in",
    "read_digests",
    "read_headers",
    "reason",
    "require_share",
    "short_names",
    "spread",
    "unreported",
]
