"""Every error that Tessera raises on purpose.

    TesseraError
    ├── InvalidTiling            a tile size, stride, border or halo that cannot work
    ├── InvalidImage             bytes that no decoder can turn into pixels
    │   ├── UnsupportedImage     not a picture, or of a format that is not taken
    │   └── DamagedImage         a picture that is truncated or corrupt
    ├── InvalidRegion            a region of interest that does not lie within its picture
    ├── LimitExceeded
    │   ├── TooManyBytes         the upload is larger than the limit
    │   ├── TooManyPictures      the request has more pictures than the limit
    │   └── TooManyPixels        the picture's header announces more pixels than the limit
    ├── Overloaded               the queue is full
    ├── NotServed
    │   ├── ModelNotFound        no model of this name
    │   ├── VersionNotFound      the model has no such version, or it was refused
    │   └── ModelLoading         the model is still being loaded
    ├── InvalidArtifact          files of a model that must not be served
    │   ├── MissingFile          a file that the manifest names is absent
    │   ├── DigestMismatch       a file is not the one that was written
    │   ├── UnsupportedSchema    written by a newer Tessera
    │   └── GoldenMismatch       the model does not reproduce its recorded output on this machine
    ├── UnreadableRepository     the directory of models cannot be read at present
    ├── InvalidWeights           backbone weights that do not fit, or cannot be had
    ├── InvalidDataset           pictures that cannot be trained or evaluated on
    ├── InvalidTraining          settings of a training that cannot work
    ├── UnsupportedImport        a file of another program that cannot be taken over as it is
    ├── InvalidDevice            a device that is not known, not here, or does not compute in the precision asked for
    ├── InsufficientMemory       work that does not fit into memory
    ├── DeadlineExceeded         the request was not answered in its time
    └── EngineStopped            the device owner is shutting down

A message says what was wrong, which limit was met, and what would work. `code` is stable: programs may compare it.
"""

from typing import ClassVar


class TesseraError(Exception):
    """Anything that Tessera refuses; `code` names the reason for programs, the message for people."""

    code: ClassVar[str] = "error"


class InvalidTiling(TesseraError):
    """A tile size, stride, border or halo cannot work; the message names the nearest values that do."""

    code = "invalid_tiling"


class InvalidImage(TesseraError):
    """The bytes cannot be turned into pixels."""

    code = "invalid_image"


class UnsupportedImage(InvalidImage):
    """The bytes are not a picture of a format that is taken."""

    code = "unsupported_image"


class DamagedImage(InvalidImage):
    """The picture is truncated or corrupt."""

    code = "damaged_image"


class InvalidRegion(TesseraError):
    """A region of interest does not lie within its picture."""

    code = "invalid_region"


class LimitExceeded(TesseraError):
    """Something is larger than a limit of this server."""

    code = "limit_exceeded"


class TooManyBytes(LimitExceeded):
    """The upload has more bytes than the limit."""

    code = "too_many_bytes"


class TooManyPictures(LimitExceeded):
    """The request has more pictures than the limit."""

    code = "too_many_pictures"


class TooManyPixels(LimitExceeded):
    """The picture has more pixels than the limit, by its header."""

    code = "too_many_pixels"


class Overloaded(TesseraError):
    """The queue is full; `retry_after_s` is when it is expected to have room."""

    code = "overloaded"

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotServed(TesseraError):
    """What was asked for is not served here."""

    code = "not_served"


class ModelNotFound(NotServed):
    """No model has this name."""

    code = "model_not_found"


class VersionNotFound(NotServed):
    """The model has no such version, or none that could be loaded."""

    code = "version_not_found"


class ModelLoading(NotServed):
    """The model is still being loaded."""

    code = "model_loading"


class InvalidArtifact(TesseraError):
    """The files of a model must not be served."""

    code = "invalid_artifact"


class MissingFile(InvalidArtifact):
    """A file that belongs to the artifact is absent."""

    code = "missing_file"


class DigestMismatch(InvalidArtifact):
    """A file's SHA-256 is not the one that the manifest records."""

    code = "digest_mismatch"


class UnsupportedSchema(InvalidArtifact):
    """The manifest follows a schema that this version does not know."""

    code = "unsupported_schema"


class GoldenMismatch(InvalidArtifact):
    """The model does not reproduce its golden output on this machine."""

    code = "golden_mismatch"


class UnreadableRepository(TesseraError):
    """The directory of models cannot be read at present."""

    code = "unreadable_repository"


class InvalidWeights(TesseraError):
    """Backbone weights do not fit the backbone, or cannot be had."""

    code = "invalid_weights"


class InvalidDataset(TesseraError):
    """A dataset cannot be trained or evaluated on."""

    code = "invalid_dataset"


class InvalidTraining(TesseraError):
    """Settings of a training cannot work, or not together."""

    code = "invalid_training"


class UnsupportedImport(TesseraError):
    """A file of another program cannot be taken over, or not so that it would say the same here."""

    code = "unsupported_import"


class InvalidDevice(TesseraError):
    """A device is not known, not in this machine, or does not compute in the precision asked for."""

    code = "invalid_device"


class InsufficientMemory(TesseraError):
    """The work needs more memory than there is."""

    code = "insufficient_memory"


class DeadlineExceeded(TesseraError):
    """The request was not answered within its time."""

    code = "deadline_exceeded"


class EngineStopped(TesseraError):
    """The device owner no longer takes work."""

    code = "engine_stopped"
