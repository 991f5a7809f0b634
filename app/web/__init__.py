"""The page at `GET /`."""

from app.web.page import mount_page

__all__ = ["mount_page"]
