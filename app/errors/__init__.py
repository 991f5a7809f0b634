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
    │   ├── TooManyPoints        the outlines of the defect regions have more points than the limit
    │   ├── DecodingLimit        reading the picture takes more memory or processor time than the limit
    │   ├── TooCostly            the picture needs more memory than one request may take
    │   └── JobTooLarge          the job needs more space than the jobs of one key may take
    ├── Overloaded               a budget of the server has no room now
    │   ├── RateLimited          an API key has used its tiles
    │   ├── JobQuota             an API key has too many jobs
    │   └── TrainingBusy         another training runs
    ├── TooManyConnections       the server has too many connections, or too many requests in progress
    ├── ClientTooSlow            the client sends or reads too slowly
    ├── InvalidHttp              bytes that are not an HTTP request, or a head that is too large
    ├── NotServed
    │   ├── ModelNotFound        no model of this name
    │   ├── VersionNotFound      the model has no such version, or it was refused
    │   └── ModelLoading         the model is still being loaded
    ├── NormalPictureNotFound  a version of a model without a copy of this training picture
    ├── NotStreamable            a model that needs the whole picture, and takes no stream of rows
    ├── StreamNotFound           a stream of rows that is continued, and is not known
    ├── StreamConflict           a stream of rows that is begun or continued otherwise than the server has it
    ├── InvalidStream            a stream of rows that ends within a row
    ├── PartialUnsupported       a partial answer of a model that sees each picture at once
    ├── InvalidArtifact          files of a model that must not be served
    │   ├── MissingFile          a file that the manifest names is absent
    │   ├── DigestMismatch       a file is not the one that was written
    │   ├── UnsupportedSchema    written by a newer Tessera
    │   ├── GoldenMismatch       the model does not reproduce its recorded output on this machine
    │   ├── ModelTooLarge        the model does not fit into the memory that is free
    │   └── LoadTimeout          its files are still being read long after they should have been
    ├── UnreadableRepository     the directory of models cannot be read at present
    ├── InvalidBucket            the URL of a bucket that cannot be used, or whose package is missing
    ├── InvalidServing           the file that says which version or model serves cannot be used
    ├── InvalidChange            a version that cannot be promoted, rolled back or deleted
    ├── ShadowRefused            a version that cannot run as a shadow, or no shadow to stop
    ├── InvalidWeights           backbone weights that do not fit the network, or cannot be loaded
    ├── InvalidDataset           a data set that cannot be used for training or evaluation
    ├── InvalidParameter         a parameter of a detector, a prediction or a calibration that cannot work
    ├── InvalidName              a model name that is not allowed, or whose directory cannot be written to
    ├── InvalidTraining          settings of a training that cannot work
    ├── InvalidTrainings         the folder of a server's trainings, or of its models, cannot be used for trainings
    ├── TrainingsUnavailable     the server trains no models
    ├── TrainingNotFound         no such training
    ├── TrainingInterrupted      a training that ended before its model was written
    ├── TeachingNotFound         no such teaching
    ├── TeachingConflict         a decision about a taught version that does not fit the state of its teaching
    ├── SecondPersonRequired     a taught version whose proof names reviews that a second person must confirm
    ├── ModelExists              a first model under a name that is taken
    ├── TooFewPictures           too few pictures for a first model
    ├── SizesDiffer              pictures for a first model that do not have about one size
    ├── NotTeachable             a model that cannot learn from reviewed pictures
    ├── NothingToLearn           reviewed pictures that teach a model nothing
    ├── UnsupportedImport        a file of another program that cannot be reproduced exactly
    ├── CannotServe              settings with which a server, or a replica on a cluster, cannot start
    ├── InvalidDevice            a device that is unknown, absent, or does not support the requested precision
    ├── InvalidKeys              a file of API keys that cannot be used
    ├── AccessDenied
    │   ├── KeyRequired          a request without an API key
    │   ├── InvalidKey           a key that is unknown, was revoked or has expired
    │   └── InsufficientScope    a key that does not allow the operation
    ├── CrossSite                a request from a page of another site
    ├── UnknownHost              a request for a name that is not the server's
    ├── InsufficientMemory       work that does not fit into memory
    ├── NotFinite                a device or a network computed NaN or infinity
    ├── DeviceFailed             the device that has the picture in work failed, or no device works
    ├── InsufficientStorage      an upload or a job that cannot be stored
    ├── InvalidJobs              the folder or the database of jobs cannot be used
    ├── JobsDatabaseUnavailable  the database of jobs is away
    ├── JobsUnavailable          the server takes no jobs
    ├── JobNotFound              no such job, or no such picture of it
    ├── JobNotDone               results of a picture that is not done
    ├── ResultsUnavailable       the folder or bucket of results cannot be read at present
    ├── UploadConflict           a part that does not continue its upload
    ├── InvalidPath              a path that does not name a file in the opened folder
    ├── InvalidPictures          the folder, the database or the rules of kept pictures cannot be used
    ├── PicturesDatabaseUnavailable  the database of kept pictures is away
    ├── PicturesUnavailable      the server keeps no pictures
    ├── PictureNotFound          no such picture is kept
    ├── ReviewConflict           a picture that somebody else has reviewed since it was read
    ├── TagRequired              a change without the tag of what it changes
    ├── InvalidReview            a review that does not fit its picture
    ├── InvalidZones             zones that are no polygons within the picture, or have no threshold
    ├── ZonesConflict            zones that have changed since they were read
    ├── ZonesRefused             zones of a version that cannot be written
    ├── InvalidSink              an address of a sink of events that is not known, or cannot work
    ├── InvalidRecord            the record of verdicts cannot be written, or another process writes it
    ├── NotDelivered             a sink did not take an event, which is tried again
    ├── DeadlineExceeded         the request was not answered within its time limit
    └── EngineStopped            the device owner is shutting down

A message says what was wrong, which limit was exceeded, and what would work. A class holds everything about its error:
the HTTP responses, the contract, docs/errors.md and their tests use it. The first line of its docstring is the title of
the problem in responses. `code` is stable: programs may compare it.
"""

from app.errors.access import AccessDenied, InsufficientScope, InvalidKey, InvalidKeys, KeyRequired
from app.errors.base import TesseraError, every_error
from app.errors.devices import DeviceFailed, EngineStopped, InvalidDevice, NotFinite
from app.errors.events import InvalidRecord, InvalidSink, NotDelivered
from app.errors.jobs import (
    InvalidJobs,
    InvalidPath,
    JobNotDone,
    JobNotFound,
    JobQuota,
    JobsDatabaseUnavailable,
    JobsUnavailable,
    JobTooLarge,
    ResultsUnavailable,
    UploadConflict,
)
from app.errors.kept import (
    InvalidPictures,
    InvalidReview,
    PictureNotFound,
    PicturesDatabaseUnavailable,
    PicturesUnavailable,
    ReviewConflict,
    TagRequired,
)
from app.errors.limits import (
    DeadlineExceeded,
    DecodingLimit,
    InsufficientMemory,
    InsufficientStorage,
    LimitExceeded,
    Overloaded,
    RateLimited,
    TooCostly,
    TooManyBytes,
    TooManyPictures,
    TooManyPixels,
    TooManyPoints,
)
from app.errors.models import (
    DigestMismatch,
    GoldenMismatch,
    InvalidArtifact,
    InvalidBucket,
    InvalidChange,
    InvalidName,
    InvalidServing,
    InvalidWeights,
    LoadTimeout,
    MissingFile,
    ModelTooLarge,
    ShadowRefused,
    UnreadableRepository,
    UnsupportedImport,
    UnsupportedSchema,
)
from app.errors.pictures import DamagedImage, InvalidImage, InvalidRegion, InvalidTiling, UnsupportedImage
from app.errors.requests import (
    ClientTooSlow,
    CrossSite,
    InvalidHttp,
    InvalidStream,
    ModelLoading,
    ModelNotFound,
    NormalPictureNotFound,
    NotServed,
    NotStreamable,
    PartialUnsupported,
    StreamConflict,
    StreamNotFound,
    TooManyConnections,
    UnknownHost,
    VersionNotFound,
)
from app.errors.starting import CannotServe
from app.errors.teaching import SecondPersonRequired, TeachingConflict, TeachingNotFound
from app.errors.training import (
    InvalidDataset,
    InvalidParameter,
    InvalidTraining,
    InvalidTrainings,
    ModelExists,
    NothingToLearn,
    NotTeachable,
    SizesDiffer,
    TooFewPictures,
    TrainingBusy,
    TrainingInterrupted,
    TrainingNotFound,
    TrainingsUnavailable,
)
from app.errors.zones import InvalidZones, ZonesConflict, ZonesRefused

__all__ = [
    "AccessDenied",
    "CannotServe",
    "ClientTooSlow",
    "CrossSite",
    "DamagedImage",
    "DeadlineExceeded",
    "DecodingLimit",
    "DeviceFailed",
    "DigestMismatch",
    "EngineStopped",
    "GoldenMismatch",
    "InsufficientMemory",
    "InsufficientScope",
    "InsufficientStorage",
    "InvalidArtifact",
    "InvalidBucket",
    "InvalidChange",
    "InvalidDataset",
    "InvalidDevice",
    "InvalidHttp",
    "InvalidImage",
    "InvalidJobs",
    "InvalidKey",
    "InvalidKeys",
    "InvalidName",
    "InvalidParameter",
    "InvalidPath",
    "InvalidPictures",
    "InvalidRecord",
    "InvalidRegion",
    "InvalidReview",
    "InvalidServing",
    "InvalidSink",
    "InvalidStream",
    "InvalidTiling",
    "InvalidTraining",
    "InvalidTrainings",
    "InvalidWeights",
    "InvalidZones",
    "JobNotDone",
    "JobNotFound",
    "JobQuota",
    "JobTooLarge",
    "JobsDatabaseUnavailable",
    "JobsUnavailable",
    "KeyRequired",
    "LimitExceeded",
    "LoadTimeout",
    "MissingFile",
    "ModelExists",
    "ModelLoading",
    "ModelNotFound",
    "ModelTooLarge",
    "NormalPictureNotFound",
    "NotDelivered",
    "NotFinite",
    "NotServed",
    "NotStreamable",
    "NotTeachable",
    "NothingToLearn",
    "Overloaded",
    "PartialUnsupported",
    "PictureNotFound",
    "PicturesDatabaseUnavailable",
    "PicturesUnavailable",
    "RateLimited",
    "ResultsUnavailable",
    "ReviewConflict",
    "SecondPersonRequired",
    "ShadowRefused",
    "SizesDiffer",
    "StreamConflict",
    "StreamNotFound",
    "TagRequired",
    "TeachingConflict",
    "TeachingNotFound",
    "TesseraError",
    "TooCostly",
    "TooFewPictures",
    "TooManyBytes",
    "TooManyConnections",
    "TooManyPictures",
    "TooManyPixels",
    "TooManyPoints",
    "TrainingBusy",
    "TrainingInterrupted",
    "TrainingNotFound",
    "TrainingsUnavailable",
    "UnknownHost",
    "UnreadableRepository",
    "UnsupportedImage",
    "UnsupportedImport",
    "UnsupportedSchema",
    "UploadConflict",
    "VersionNotFound",
    "ZonesConflict",
    "ZonesRefused",
    "every_error",
]
