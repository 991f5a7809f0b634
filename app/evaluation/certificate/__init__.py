"""The certificate of a model: which sizes of marks it finds, and where it sees less."""

from app.evaluation.certificate.certify import Certified, Grade, Plan, certify, largest_size
from app.evaluation.certificate.pictures import MarkedPictures, Sight

__all__ = ["Certified", "Grade", "MarkedPictures", "Plan", "Sight", "certify", "largest_size"]
