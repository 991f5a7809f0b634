"""Errors of data sets, parameters and trainings."""

from app.errors.base import TesseraError


class InvalidDataset(TesseraError):
    """A dataset cannot be trained or evaluated on."""

    code = "invalid_dataset"
    status = 500


class InvalidParameter(TesseraError):
    """A parameter of a detector, a prediction or a calibration has a value that cannot work."""

    code = "invalid_parameter"


class InvalidTraining(TesseraError):
    """Settings of a training cannot work, or not together."""

    code = "invalid_training"
    status = 500
