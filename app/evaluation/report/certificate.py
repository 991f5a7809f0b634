"""`certificate.json` and `certificate.html`: the certificate of a version for programs and for people."""

from pathlib import Path

from app.artifacts import CERTIFICATE, Artifact, CertificateRecord, certificate_content
from app.evaluation.report.certificate_drawing import draw_certificate
from app.evaluation.report.page import render
from app.evaluation.report.record import ReportData, certificate_json, model_record
from app.evaluation.report.write import replace_files

CERTIFICATE_PAGE = "certificate.html"


def write_certificate_page(directory: Path, record: CertificateRecord, artifact: Artifact) -> None:
    """Writes `certificate.html` and `certificate.json` into the directory. Other files in it are not changed."""
    page_record: ReportData = {"model": model_record(artifact), "certificate": certificate_json(record)}
    page = render("certificate.html.jinja", page_record, (), certificate=draw_certificate(record))
    replace_files(directory, {CERTIFICATE: certificate_content(record), CERTIFICATE_PAGE: page})
