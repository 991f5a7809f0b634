"""Imports models that were trained with anomalib. Does not need anomalib, and runs no code of the files."""

from app.importing.calibration import Thresholds
from app.importing.choices import Choices, NormalisationChoice
from app.importing.importer import Imported, import_model

__all__ = ["Choices", "Imported", "NormalisationChoice", "Thresholds", "import_model"]
