"""Every error that Tessera raises on purpose.

    TesseraError
    ├── InvalidTiling            a tile size, stride, border or halo that cannot work
    ├── InvalidImage             bytes that no decoder can turn into pixels
    │   ├── UnsupportedImage     not a picture, or of a format that is not supported
    │   └── DamagedImage         a picture that is truncated or corrupt
    ├── InvalidRegion            a region of interest that does not lie within its picture
    ├── LimitExceeded
    │   ├── TooManyBytes         the upload is larger than the limit
    │   ├── TooManyPictures      the request has more pictures than the limit
    │   ├── TooManyPixels        the picture's header announces more pixels than the limit
    │   ├── DecodingLimit        reading the picture takes more memory or processor time than the limit
    │   └── TooCostly            the picture needs more memory than one request may take
    ├── Overloaded               a budget of the server has no room now
    ├── TooManyConnections       the server has too many connections, or too many requests in progress
    ├── ClientTooSlow            the client sends or reads too slowly
    ├── InvalidHttp              bytes that are not an HTTP request, or a head that is too large
    ├── NotServed
    │   ├── ModelNotFound        no model of this name
    │   ├── VersionNotFound      the model has no such version, or it was refused
    │   └── ModelLoading         the model is still being loaded
    ├── InvalidArtifact          files of a model that must not be served
    │   ├── MissingFile          a file that the manifest names is absent
    │   ├── DigestMismatch       a file is not the one that was written
    │   ├── UnsupportedSchema    written by a newer Tessera
    │   ├── GoldenMismatch       the model does not reproduce its recorded output on this machine
    │   ├── ModelTooLarge        the model does not fit into the memory that is free
    │   └── LoadTimeout          its files are still being read long after they should have been
    ├── UnreadableRepository     the directory of models cannot be read at present
    ├── InvalidWeights           backbone weights that do not fit the network, or cannot be loaded
    ├── InvalidDataset           a data set that cannot be used for training or evaluation
    ├── InvalidParameter         a parameter of a detector, a prediction or a calibration that cannot work
    ├── InvalidName              a model name that is not allowed, or whose directory cannot be written to
    ├── InvalidTraining          settings of a training that cannot work
    ├── UnsupportedImport        a file of another program that cannot be reproduced exactly
    ├── InvalidDevice            a device that is unknown, absent, or does not support the requested precision
    ├── CrossSite                a request from a page of another site
    ├── UnknownHost              a request for a name that is not the server's
    ├── InsufficientMemory       work that does not fit into memory
    ├── NotFinite                a device or a network computed NaN or infinity
    ├── DeviceFailed             the device that has the picture in work failed, or no device works
    ├── InsufficientStorage      an upload that cannot be stored
    ├── DeadlineExceeded         the request was not answered within its time limit
    └── EngineStopped            the device owner is shutting down

A message says what was wrong, which limit was exceeded, and what would work. A class holds everything about its error:
the HTTP responses, the contract, docs/errors.md and their tests use it. The first line of its docstring is the title of
the problem in responses. `code` is stable: programs may compare it.
"""

from collections.abc import Iterator
from typing import ClassVar


class TesseraError(Exception):
    """Anything that Tessera refuses; `code` names the reason for programs, the message for people."""

    code: ClassVar[str] = "error"
    status: ClassVar[int] = 500
    """The HTTP status of the response."""
    when: ClassVar[str] = ""
    """The condition of the response, for the documentation; empty: no response has this code."""
    example: ClassVar[str] = ""
    """An example of a message, for the documentation."""


class InvalidTiling(TesseraError):
    """A tile size, stride, border or halo cannot work; the message names the nearest values that do."""

    code = "invalid_tiling"
    status = 422


class InvalidImage(TesseraError):
    """The bytes cannot be turned into pixels."""

    code = "invalid_image"
    status = 422
    when = "the picture is empty, or the process that reads it crashes"
    example = "the picture is empty; send the bytes of one"


class UnsupportedImage(InvalidImage):
    """The bytes are not a picture of a supported format."""

    code = "unsupported_image"
    status = 415
    when = "the bytes are not a JPEG, PNG, WebP, BMP, TIFF or AVIF picture, or of a variant that cannot be read"
    example = "This is not a picture of a supported format; send one of JPEG, PNG, WebP, BMP, TIFF, AVIF"


class DamagedImage(InvalidImage):
    """The picture is truncated or corrupt."""

    code = "damaged_image"
    when = "the picture is truncated or corrupt"
    example = "The PNG is truncated: it ends after 1,024 bytes, before its IEND; send the whole file"


class InvalidRegion(TesseraError):
    """A region of interest does not lie within its picture."""

    code = "invalid_region"
    status = 422
    when = "the region of interest `roi` does not lie within the picture"
    example = "the region of interest x=900, y=0, width=200, height=80 reaches out of the picture"


class LimitExceeded(TesseraError):
    """Something is larger than a limit of this server; `limit` is the setting that holds it."""

    code = "limit_exceeded"
    status = 413
    limit = ""


class TooManyBytes(LimitExceeded):
    """The upload has more bytes than the limit."""

    code = "too_many_bytes"
    limit = "max_image_bytes"
    when = "the upload exceeds `max_image_bytes`; refused while it is read"
    example = "the upload has more than 285,212,672 bytes; send a smaller file"


class TooManyPictures(LimitExceeded):
    """The request has more pictures than the limit."""

    code = "too_many_pictures"
    limit = "batch_pictures"
    when = "the form has more files than `batch_pictures`"
    example = "the form has more than 100 files; send at most 100 with a request"


class TooManyPixels(LimitExceeded):
    """The picture has more pixels than the limit, by its header."""

    code = "too_many_pixels"
    limit = "max_pixels"
    when = (
        "the picture's header announces more than `max_pixels`, or more than four times as many with the padding to "
        "whole tiles; refused before it is decoded"
    )
    example = "The picture has 10000 x 8000 pixels, the limit is 67,108,864; send a smaller one"


class DecodingLimit(LimitExceeded):
    """Reading the picture takes more memory or processor time than the limit."""

    code = "decoding_limit"
    when = "reading the picture takes more memory or processor time than any usual picture of its size"
    example = "reading this picture takes more than 5 s of processor time; save it anew, with common settings"


class TooCostly(LimitExceeded):
    """The picture needs more memory than one request may take."""

    code = "too_costly"
    limit = "max_work_bytes"
    when = "by its header the picture needs more than half of `max_work_bytes`; refused before it is decoded"
    example = "the picture needs 2,147,483,648 bytes of memory, and one request may take 1,073,741,824"


class Overloaded(TesseraError):
    """A budget of this server has no room now; come back later.

    retry_after_s: when there is expected to be room
    limit: the setting that holds the budget
    """

    code = "overloaded"
    status = 429
    when = (
        "the queue is full (`queue_tiles`), all uploads and answers together exceed `max_waiting_bytes`, or the tiles "
        "that wait would take longer than the request's time limit; `Retry-After` says when to come back"
    )
    example = (
        "the request has 16 tiles to compute, and needs 16 tiles of queue_tiles, which is 4,096; 4,090 are taken and "
        "120 are promised; come back in 12 s"
    )

    def __init__(self, message: str, retry_after_s: float, limit: str = "") -> None:
        super().__init__(message)
        self.retry_after_s, self.limit = retry_after_s, limit


class TooManyConnections(TesseraError):
    """The server has too many connections or requests in progress."""

    code = "too_many_connections"
    status = 503
    when = "too many connections or requests are open (`max_connections`); `Retry-After` says when to try again"
    example = "750 requests are in progress, the limit (max_connections); try again in a few seconds"


class ClientTooSlow(TesseraError):
    """The client sent its request or read the response too slowly."""

    code = "client_too_slow"
    status = 408
    when = "the head of a request takes longer than `head_timeout_s`, or its body stalls for `stall_timeout_s`"
    example = "no whole request came within 10 s (head_timeout_s); send it at once"


class InvalidHttp(TesseraError):
    """The bytes are not a valid HTTP request."""

    code = "invalid_http"
    status = 400
    when = "the bytes are not HTTP/1.1, or the head has more than 16 KiB or 100 lines, or the chunks are tiny"
    example = "the head of the request has more than 100 lines; send fewer headers"


class NotServed(TesseraError):
    """The model or version is not served."""

    code = "not_served"
    status = 404


class ModelNotFound(NotServed):
    """No model has this name."""

    code = "model_not_found"
    when = "no model has this name; the sentence lists those that there are"
    example = "there is no model 'screw'; available: demo"


class VersionNotFound(NotServed):
    """The model has no such version, or none that could be loaded."""

    code = "version_not_found"
    when = "the model has no such version, or it was refused when it was loaded"
    example = "model 'demo' has no version 7; available: 1"


class ModelLoading(NotServed):
    """The model is still being loaded."""

    code = "model_loading"
    status = 503
    when = "the model is still being loaded; `Retry-After` says when to ask again"
    example = "version 1 of model 'demo' is still being loaded; try again in a few seconds"


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
    when = "a reload was requested, and `models_dir` cannot be read; loaded models stay served"
    example = "models cannot be read: Permission denied; loaded models stay served"


class InvalidWeights(TesseraError):
    """Backbone weights do not fit the backbone, or cannot be loaded."""

    code = "invalid_weights"
    status = 500


class InvalidDataset(TesseraError):
    """A dataset cannot be trained or evaluated on."""

    code = "invalid_dataset"
    status = 500


class InvalidParameter(TesseraError):
    """A parameter of a detector, a prediction or a calibration has a value that cannot work."""

    code = "invalid_parameter"


class InvalidName(TesseraError):
    """A name cannot be that of a model, or its place cannot be written to."""

    code = "invalid_name"


class InvalidTraining(TesseraError):
    """Settings of a training cannot work, or not together."""

    code = "invalid_training"
    status = 500


class UnsupportedImport(TesseraError):
    """A file of another program cannot be imported with the same results."""

    code = "unsupported_import"
    status = 500


class InvalidDevice(TesseraError):
    """The device is unknown or absent, or does not support the precision."""

    code = "invalid_device"
    status = 500


class CrossSite(TesseraError):
    """The request comes from a page of another site."""

    code = "cross_site"
    status = 403
    when = "a browser sends the request for a page of an origin that is neither the server's nor in `cors_origins`"
    example = "the request comes from a page of another origin, 'https://other.example'; add it to cors_origins"


class UnknownHost(TesseraError):
    """The request is for a host that is not this server."""

    code = "unknown_host"
    status = 421
    when = "`Host` is not in `allowed_hosts`, which a server on a loopback address has to know"
    example = "the server does not know the host 'other.example'; use its address, or add the name to allowed_hosts"


class InsufficientMemory(TesseraError):
    """The work needs more memory than there is."""

    code = "insufficient_memory"
    status = 503
    when = "the picture needs more memory than there is"
    example = "The picture needs more memory than there is; send a smaller one"


class NotFinite(TesseraError):
    """The model computed numbers that are not finite, so that the picture has no score."""

    code = "not_finite"
    status = 503
    when = "the model computed NaN or infinity for the picture; the device is then tested"
    example = "the model computed NaN or infinity for this picture, so that it has no score; send the picture again"


class DeviceFailed(TesseraError):
    """The device failed while it had the picture in work, or no device works."""

    code = "device_failed"
    status = 503
    when = "the device that had the picture in work failed, or no device works; `/readyz` says why"
    example = "cpu has computed one unit of work for 130 s, of at most 120 s, and is given up; send the picture again"


class InsufficientStorage(TesseraError):
    """The upload cannot be stored."""

    code = "insufficient_storage"
    status = 507
    when = "the temporary folder of the server (`TMPDIR`) is full or cannot be written to"
    example = "the upload cannot be stored: No space left on device; try again later, or make room in TMPDIR"


class DeadlineExceeded(TesseraError):
    """The request was not answered within its time."""

    code = "deadline_exceeded"
    status = 504
    when = "the picture was not answered within `X-Request-Timeout`, or `request_timeout_s` without it"
    example = "the picture was not answered within 2.5 s, and is given up; allow more time"


class EngineStopped(TesseraError):
    """The device owner no longer takes work."""

    code = "engine_stopped"
    status = 503
    when = "the server is shutting down"
    example = "the server is shutting down; try again in a few seconds"


def every_error(base: type[TesseraError] = TesseraError) -> Iterator[type[TesseraError]]:
    """All classes derived from `base`, each before the classes derived from it."""
    for kind in base.__subclasses__():
        yield kind
        yield from every_error(kind)
