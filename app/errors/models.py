"""Errors of the files of a model, of its name, and of what it is made from."""

from app.errors.base import TesseraError


class InvalidArtifact(TesseraError):
    """The files of a model must not be served."""

    code = "invalid_artifact"
    status = 500


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


class ModelTooLarge(InvalidArtifact):
    """The model does not fit into the memory that is free."""

    code = "model_too_large"


class LoadTimeout(InvalidArtifact):
    """The version is not loaded within the time limit."""

    code = "load_timeout"


class UnreadableRepository(TesseraError):
    """The directory of models cannot be read at present."""

    code = "unreadable_repository"
    status = 503
    retry_within_s = 10
    when = "a reload was requested, and `models_dir` cannot be read; loaded models stay served"
    example = "models cannot be read: Permission denied; loaded models stay served"


class InvalidBucket(TesseraError):
    """The URL of a bucket cannot be used."""

    code = "invalid_bucket"


class InvalidServing(TesseraError):
    """The file that says which version or model serves cannot be used.

    plain: the message without the server's path, for clients
    """

    code = "invalid_serving"

    def __init__(self, message: str, plain: str | None = None) -> None:
        super().__init__(message)
        self.plain = message if plain is None else plain


class InvalidChange(TesseraError):
    """A version cannot be promoted, rolled back or deleted."""

    code = "invalid_change"


class ShadowRefused(TesseraError):
    """A version cannot run as a shadow, or there is none to stop."""

    code = "shadow_refused"
    status = 409
    when = (
        "a shadow is started although its version serves, or another shadow has not ended; or one is stopped and none "
        "runs; or the repository cannot be written"
    )
    example = "version 2 of model 'demo' serves already; name a version that does not serve"


class InvalidWeights(TesseraError):
    """Backbone weights do not fit the backbone, or cannot be loaded."""

    code = "invalid_weights"
    status = 500


class UnsupportedImport(TesseraError):
    """A file of another program cannot be imported with the same results."""

    code = "unsupported_import"
    status = 500


class InvalidName(TesseraError):
    """A name cannot be that of a model, or its place cannot be written to."""

    code = "invalid_name"
    status = 422
    when = "a first model is requested under a name that no model can have"
    example = (
        "'Lid 7' cannot name a model; use lower-case letters, digits, '_' and '-', starting with one of the first two"
    )
