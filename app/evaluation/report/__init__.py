"""Reports for programs (JSON) and for people (one HTML file): of an evaluation, of a comparison of two models, and of
the seams between tiles.
"""

from app.evaluation.report.certificate import CERTIFICATE_PAGE, write_certificate_page
from app.evaluation.report.comparison import COMPARISON, COMPARISON_PAGE, make_comparison_record, write_comparison
from app.evaluation.report.explained import explainer
from app.evaluation.report.gallery import Gallery
from app.evaluation.report.record import ReportData, make_record
from app.evaluation.report.seams import SEAMS, SEAMS_PAGE, draw_seams, make_seam_record, write_seams
from app.evaluation.report.write import METRICS, PAGE, write_report

__all__ = [
    "CERTIFICATE_PAGE",
    "COMPARISON",
    "COMPARISON_PAGE",
    "METRICS",
    "PAGE",
    "SEAMS",
    "SEAMS_PAGE",
    "Gallery",
    "ReportData",
    "draw_seams",
    "explainer",
    "make_comparison_record",
    "make_record",
    "make_seam_record",
    "write_certificate_page",
    "write_comparison",
    "write_report",
    "write_seams",
]
