"""Taking over models that were trained with anomalib, without anomalib, and without running anything of their files."""

from app.importing.calibration import Thresholds
from app.importing.importer import Choices, Imported, import_model

__all__ = ["Choices", "Imported", "Thresholds", "import_model"]
