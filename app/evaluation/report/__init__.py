"""Reports for programs (JSON) and for people (one HTML file): of an evaluation, and of a comparison of two models."""

from app.evaluation.report.comparison import COMPARISON, COMPARISON_PAGE, make_comparison_record, write_comparison
from app.evaluation.report.gallery import Gallery
from app.evaluation.report.record import ReportData, make_record
from app.evaluation.report.write import METRICS, PAGE, write_report

__all__ = [
    "COMPARISON",
    "COMPARISON_PAGE",
    "METRICS",
    "PAGE",
    "Gallery",
    "ReportData",
    "make_comparison_record",
    "make_record",
    "write_comparison",
    "write_report",
]
