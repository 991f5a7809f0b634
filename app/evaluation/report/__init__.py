"""The report of an evaluation: `metrics.json` for programs and `report.html` for people."""

from app.evaluation.report.gallery import Gallery
from app.evaluation.report.record import ReportData, make_record
from app.evaluation.report.write import METRICS, PAGE, write_report

__all__ = [
    "METRICS",
    "PAGE",
    "Gallery",
    "ReportData",
    "make_comparison_record",
    "make_record",
    "write_report",
]
