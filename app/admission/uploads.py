"""The bytes of unanswered requests: their bodies, and their answers while clients read them."""

from collections.abc import Callable, Hashable
from random import random

from app.admission.budget import Budget, Demand, Hold
from app.errors import TooManyBytes

NAME = "max_waiting_bytes"
SMALLER = "send a smaller file. A server with jobs_dir takes pictures of any size as jobs (POST /v1/jobs)"


class Uploads:
    """Limits each body to `largest` bytes, and the bytes of all unanswered requests together to `limit`."""

    def __init__(
        self, limit: int, largest: int, clock: Callable[[], float], draw: Callable[[], float] = random
    ) -> None:
        self.budget, self.largest = Budget(NAME, "bytes", limit, largest, clock, draw), largest

    def begin(self, announced: int, key: Hashable) -> "Upload":
        """Admits a body of this announced size, 0 if it is unknown; raises TooManyBytes or Overloaded.

        Only bytes that have arrived are counted, so that clients that send nothing keep nobody out.
        """
        self.require(announced)
        hold = self.budget.admit(Demand(announced, announced, key, what=f"the upload of {announced:,} bytes"))
        self.budget.shrink(hold)
        return Upload(self, hold)

    def require(self, size: int) -> None:
        """Raises TooManyBytes if a body may not have this many bytes."""
        if size > self.largest:
            raise TooManyBytes(f"the upload has more than {self.largest:,} bytes (max_image_bytes); {SMALLER}")


class Upload:
    """The bytes that one request holds."""

    def __init__(self, uploads: Uploads, hold: Hold) -> None:
        self._budget, self._hold = uploads.budget, hold

    def add(self, size: int) -> None:
        """Counts bytes that have arrived; raises Overloaded if all requests together hold too many."""
        self._budget.grow(self._hold, size, "the upload")

    def add_beside(self, size: int) -> None:
        """Counts bytes that are needed beside the body, before they are allocated.

        Raises TooManyBytes or Overloaded.
        """
        needed, limit = self._hold.amount + size, self._budget.limit
        if needed > limit:
            raise TooManyBytes(
                f"the request needs {needed:,} bytes of memory, and {NAME} is {limit:,}; send a smaller picture, or "
                "send its file"
            )
        self._budget.grow(self._hold, size, "the request")

    def add_answer(self, size: int) -> None:
        """Counts bytes of the answer, which is never refused."""
        self._budget.grow(self._hold, size)

    def remove(self, size: int) -> None:
        """Frees bytes of the answer that were sent."""
        self._budget.shrink(self._hold, size)

    def end(self) -> None:
        """Frees all bytes."""
        size = self._hold.amount
        if self._budget.release(self._hold):
            self._budget.measure(size)
