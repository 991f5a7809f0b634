"""Jobs: predictions of pictures of any size, which outlive their request."""

from app.api.jobs import events, manage, results, uploads

RESOURCES = (manage, uploads, events, results)

__all__ = ["RESOURCES"]
