"""Errors of data sets, parameters and trainings."""

from app.errors.base import TesseraError
from app.errors.limits import Overloaded


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


class InvalidTrainings(TesseraError):
    """The folder of trainings cannot be used, or the models are in a place that a server does not write to."""

    code = "invalid_trainings"
    status = 500


class TrainingsUnavailable(TesseraError):
    """This server trains no models."""

    code = "trainings_unavailable"
    status = 404
    when = "the server has no folder for trainings (`trainings_dir`)"
    example = "this server trains no models; its operator can name a folder for trainings (trainings_dir)"


class TrainingNotFound(TesseraError):
    """No training has this id."""

    code = "training_not_found"
    status = 404
    when = "there is no such training, or its record was removed"
    example = "there is no training '8f14e45fceea167a'; its record may have been removed"


class TrainingBusy(Overloaded):
    """Another training runs."""

    code = "training_busy"
    when = "a training runs, and the server runs one at a time; `Retry-After` is a guess at its end"
    example = "the model 'lid' is being trained, and one training runs at a time; try again when it has ended"


class ModelExists(TesseraError):
    """A model has this name."""

    code = "model_exists"
    status = 409
    when = "a first model is requested under a name that the repository has already"
    example = "there is a model 'lid' already; choose another name"


class TooFewPictures(TesseraError):
    """There are too few pictures for a first model."""

    code = "too_few_pictures"
    status = 422
    when = "a first model is requested with fewer than 10 pictures"
    example = "there are 6 pictures, and a first model needs 10: with 6, up to 40 % false alarms could not be excluded"


class SizesDiffer(TesseraError):
    """The pictures have different sizes."""

    code = "sizes_differ"
    status = 422
    when = "the edges of a picture for a first model differ by more than 10 % from those of the most frequent size"
    example = (
        "9 of 12 pictures have 1280 x 960 pixels, and b.png has 640 x 480; send pictures from one camera, whose edges "
        "differ by at most 10%"
    )


class TrainingInterrupted(TesseraError):
    """The training ended before its model was written."""

    code = "training_interrupted"
    status = 500


class NotTeachable(TesseraError):
    """A model cannot learn from reviewed pictures."""

    code = "not_teachable"
    status = 409
    when = (
        "a model is taught that cannot learn from reviewed pictures: an earlier version of Tessera or another program "
        "made it, or the version from which it was taught is gone"
    )
    example = (
        "version 3 of 'lid' was taught from version 1, which is not there any more, and every lesson begins with the "
        "trained version; restore it, or train the model again"
    )


class NothingToLearn(TesseraError):
    """No reviewed picture teaches anything."""

    code = "nothing_to_learn"
    status = 409
    when = "a model is taught, and no picture of it was reviewed as harmless or as a defect"
    example = "no reviewed picture of 'lid' is harmless, has a harmless region, or has a defect; review some first"
