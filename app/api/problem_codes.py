"""The codes of problems, and of refused versions, for programs to compare."""

from enum import StrEnum


class ProblemCode(StrEnum):
    """The kind of a problem. Codes keep their meaning; new ones may be added."""

    UNSUPPORTED_IMAGE = "unsupported_image"
    DAMAGED_IMAGE = "damaged_image"
    INVALID_IMAGE = "invalid_image"
    INVALID_REGION = "invalid_region"
    INVALID_REQUEST = "invalid_request"
    TOO_MANY_BYTES = "too_many_bytes"
    TOO_MANY_PIXELS = "too_many_pixels"
    DECODING_LIMIT = "decoding_limit"
    TOO_MANY_PICTURES = "too_many_pictures"
    TOO_COSTLY = "too_costly"
    MODEL_NOT_FOUND = "model_not_found"
    VERSION_NOT_FOUND = "version_not_found"
    MODEL_LOADING = "model_loading"
    OVERLOADED = "overloaded"
    TOO_MANY_CONNECTIONS = "too_many_connections"
    CLIENT_TOO_SLOW = "client_too_slow"
    INVALID_HTTP = "invalid_http"
    INSUFFICIENT_MEMORY = "insufficient_memory"
    NOT_FINITE = "not_finite"
    DEVICE_FAILED = "device_failed"
    INSUFFICIENT_STORAGE = "insufficient_storage"
    DEADLINE_EXCEEDED = "deadline_exceeded"
    ENGINE_STOPPED = "engine_stopped"
    UNREADABLE_REPOSITORY = "unreadable_repository"
    CROSS_SITE = "cross_site"
    UNKNOWN_HOST = "unknown_host"
    BAD_REQUEST = "bad_request"
    NOT_FOUND = "not_found"
    METHOD_NOT_ALLOWED = "method_not_allowed"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    INTERNAL_ERROR = "internal_error"


class RefusalCode(StrEnum):
    """The reason why a version is refused. Codes keep their meaning; new ones may be added."""

    MISSING_FILE = "missing_file"
    DIGEST_MISMATCH = "digest_mismatch"
    UNSUPPORTED_SCHEMA = "unsupported_schema"
    GOLDEN_MISMATCH = "golden_mismatch"
    INVALID_ARTIFACT = "invalid_artifact"
    MODEL_TOO_LARGE = "model_too_large"
    LOAD_TIMEOUT = "load_timeout"
