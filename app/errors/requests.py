"""Errors of requests: connections, HTTP, origins, models that are not served, streams of rows."""

from app.errors.base import TesseraError


class TooManyConnections(TesseraError):
    """The server has too many connections or requests in progress."""

    code = "too_many_connections"
    status = 503
    retry_within_s = 5
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
    retry_within_s = 5
    when = "the model is still being loaded; `Retry-After` says when to ask again"
    example = "version 1 of model 'demo' is still being loaded; try again in a few seconds"


class NormalPictureNotFound(TesseraError):
    """The version has no copy of this training picture."""

    code = "normal_picture_not_found"
    status = 404
    when = (
        "the version was trained before there was evidence or with `copies_mib` 0, or has no copy of a picture with "
        "this number"
    )
    example = (
        "version 2 of 'demo' has no copy of picture 40; it has 24 copies, and a prediction with include=evidence has "
        "their paths"
    )


class NotStreamable(TesseraError):
    """The model needs the whole picture, and takes no stream of rows."""

    code = "not_streamable"
    status = 422
    when = (
        "a stream of rows was sent to a model that resizes or stretches pictures, is not tiled, keeps halos within the "
        "picture, needs a thumbnail, or enlarges its map by the picture's height"
    )
    example = "the model resizes pictures to 256 x 256 pixels, and a stream of rows has no height; train one with tiles"


class StreamNotFound(TesseraError):
    """The server has no such stream."""

    code = "stream_not_found"
    status = 404
    when = (
        "a stream is continued (`after`) that was not begun, whose connection was gone for `stream_idle_s`, that a "
        "restart of the server has ended, or that another replica of the application has"
    )
    example = (
        "there is no stream 'line-3' to continue here; begin one under a new name, without after, with the next row as "
        "first_row"
    )


class StreamConflict(TesseraError):
    """The request does not fit the stream as the server has it."""

    code = "stream_conflict"
    status = 409
    when = (
        "a stream is begun whose name is in use, or continued with another width or model, behind a gap of rows, or "
        "after a region that is not kept any more"
    )
    example = "first_row is 9,000, and the stream 'line-3' has the rows before 8,192; send the rows from there on"


class InvalidStream(TesseraError):
    """The rows of a stream are not whole."""

    code = "invalid_stream"
    status = 422
    when = "the rows of a stream end within a row"
    example = "the body ends with 100 bytes of a row, which has 8,192; send whole rows of width x channels samples"


class PartialUnsupported(TesseraError):
    """The model cannot answer for a part of a picture."""

    code = "partial_unsupported"
    status = 422
    when = (
        "`partial` is true, and the model sees each picture at once: it is not tiled, has thumbnails, or resizes or "
        "stretches pictures"
    )
    example = (
        "partial is true, and the model resizes each picture as a whole; leave out partial, or use a model with tiles "
        "of the picture as it is"
    )
