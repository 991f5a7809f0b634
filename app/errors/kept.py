"""Errors of kept pictures and their reviews."""

from app.errors.base import TesseraError


class InvalidPictures(TesseraError):
    """The folder, the database or the rules of kept pictures cannot be used."""

    code = "invalid_pictures"
    status = 500


class PicturesDatabaseUnavailable(TesseraError):
    """The database of kept pictures cannot be used at present."""

    code = "pictures_database_unavailable"
    status = 503
    retry_within_s = 10
    when = (
        "the database of kept pictures cannot be reached, does not answer, or cannot write; predictions are not "
        "affected, and pictures that come meanwhile are not kept"
    )
    example = (
        "the database of kept pictures cannot be used at present; predictions go on, and new pictures are not kept; "
        "try again in a few seconds"
    )


class PicturesUnavailable(TesseraError):
    """This server keeps no pictures."""

    code = "pictures_unavailable"
    status = 404
    when = "the server has no folder for kept pictures (`pictures_dir`)"
    example = "this server keeps no pictures; its operator can name a folder for them (pictures_dir)"


class PictureNotFound(TesseraError):
    """No such picture is kept."""

    code = "picture_not_found"
    status = 404
    when = "there is no such kept picture: it was deleted, or removed by a bound of age or size"
    example = "there is no kept picture '8f14e45fceea167a'; it may have been removed by its age, or to make room"


class ReviewConflict(TesseraError):
    """The picture has changed since it was read."""

    code = "review_conflict"
    status = 412
    when = "the tag in `If-Match` is not the current one: somebody else has reviewed the picture meanwhile"
    example = "the picture '8f14e45fceea167a' was reviewed by somebody else meanwhile; read it again, then decide"


class TagRequired(TesseraError):
    """The request needs the tag of what it changes."""

    code = "tag_required"
    status = 428
    when = "a review is changed, a picture is deleted, or zones are replaced, without the header `If-Match`"
    example = "send the ETag of the picture as If-Match, so that no other review is overwritten unseen"


class InvalidReview(TesseraError):
    """The review does not fit its picture."""

    code = "invalid_review"
    status = 422
    when = (
        "a review names a region that the picture does not have, names it twice, draws outside of the picture, has "
        "too many points, or calls a picture harmless that has a defect"
    )
    example = "the picture has 3 regions, numbered from 0, and the review judges region 3"
